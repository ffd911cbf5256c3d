//! `ttmem mcp`: a session as a client has it.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use super::cli::ttmem;

/// Sends the messages and returns the answers.
fn session(messages: &[Value]) -> Vec<Value> {
    let mut command = ttmem(&["--demo", "mcp"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for message in messages {
        writeln!(input, "{message}").unwrap();
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn call(id: u32, name: &str, arguments: Value) -> Value {
    let params = json!({ "name": name, "arguments": arguments });
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap()
}

#[test]
fn a_client_gets_what_the_commands_print() {
    let log = "Out of Memory: Not enough space to allocate 1048576 B L1 buffer across 64 banks, where each bank needs to \
               store 16384 B, but bank size is only 1393312 B";
    let answers = session(&[
        json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": { "protocolVersion": "2025-06-18" } }),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" }),
        call(3, "snapshot", json!({})),
        call(4, "buffers", json!({ "lines": 2 })),
        call(5, "report", json!({ "source": "52110" })),
        call(6, "explain", json!({ "text": log })),
        call(7, "report", json!({ "source": "--help" })),
    ]);
    let ids: Vec<_> = answers.iter().map(|answer| answer["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(answers[0]["result"]["serverInfo"]["name"], "ttmem");
    let tools = answers[1]["result"]["tools"].as_array().unwrap();
    assert_eq!(tools.len(), 5);
    let printed = ttmem(&["--demo", "--json"]).output().unwrap();
    assert_eq!(text(&answers[2]).as_bytes(), printed.stdout);
    let json = |index: usize| serde_json::from_str::<Value>(text(&answers[index])).unwrap();
    assert_eq!(json(3)["buffers"].as_array().unwrap().len(), 2);
    assert_eq!(json(4)["schema"], "ttmem/run");
    assert!(text(&answers[5]).contains("1048576"));
    // A file that begins with a dash is a file, and a command that fails is a result.
    assert_eq!(answers[6]["result"]["isError"], true);
    assert!(text(&answers[6]).contains("cannot read"), "{}", text(&answers[6]));
}
