//! Buffers say which tensor they hold, in every release that tells.

use std::process::Command;

use serde_json::{Value, json};

use super::{agent_library, testbed};

/// Allocates tensors, and prints what `ttmem buffers` says of the process.
const SCRIPT: &str = r#"
import json, os, subprocess, ttnn
device = ttnn.open_device(device_id=0)
def tensor(shape, data_type, layout):
    return ttnn.allocate_tensor_on_device(ttnn.Shape(shape), data_type, layout, device, ttnn.DRAM_MEMORY_CONFIG)
held = [
    tensor([1, 1, 64, 50], ttnn.bfloat16, ttnn.TILE_LAYOUT),
    tensor([3, 128], ttnn.uint32, ttnn.ROW_MAJOR_LAYOUT),
    tensor([2, 1, 1, 32, 32], ttnn.bfloat8_b, ttnn.TILE_LAYOUT),
]
held.append(ttnn.transpose(held[0], -1, -2))
listed = json.loads(subprocess.run([os.environ["TTMEM"], "buffers", "--json"], capture_output=True).stdout)
own = [buffer for buffer in listed["buffers"] if buffer["pid"] == os.getpid() and buffer["origin"] == "tensor"]
own.sort(key=lambda buffer: buffer["address"])
owner = next(owner for owner in listed["processes"] if owner["pid"] == os.getpid())
print("told", json.dumps([[buffer.get("tensor") for buffer in own if "tensor" in buffer], owner.get("tensors_missing")]))
ttnn.close_device(device)
"#;

#[test]
fn tensors_are_those_that_were_allocated() {
    let mut tried = 0;
    for version in ["0.81.1", "0.80.0", "0.76.0"] {
        if !testbed().join(".venv").join(version).join("complete").exists() {
            continue;
        }
        tried += 1;
        let output = Command::new(testbed().join("run"))
            .args(["--mock", "n150", "--ttnn", version, "--private-shm", "--", "-c", SCRIPT])
            .env("LD_PRELOAD", agent_library::build())
            .env("TTMEM", env!("CARGO_BIN_EXE_ttmem"))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let told = text.lines().find_map(|line| line.strip_prefix("told ")).unwrap_or_else(|| {
            panic!("{version}: {text} {}", String::from_utf8_lossy(&output.stderr))
        });
        let told: Value = serde_json::from_str(told).unwrap();
        let tensor = |shape: &[u32], data_type: &str, layout: &str| json!({ "shape": shape, "data_type": data_type, "layout": layout });
        let expected = json!([
            [
                tensor(&[1, 1, 64, 50], "bfloat16", "tile"),
                tensor(&[3, 128], "uint32", "row-major"),
                tensor(&[2, 1, 1, 32, 32], "bfloat8_b", "tile"),
                tensor(&[1, 1, 50, 64], "bfloat16", "tile"),
            ],
            null,
        ]);
        assert_eq!(told, expected, "{version}");
    }
    println!("{tried} releases");
}
