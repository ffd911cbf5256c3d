//! `ttmem mcp`: a server of the Model Context Protocol on standard streams, for coding agents.
//!
//! The protocol is JSON-RPC 2.0, one message per line, and ttmem answers four methods of it. The official SDK (`rmcp`) would
//! bring an async runtime into a program that has none. Each tool runs ttmem once and returns what it prints, so that a
//! tool says exactly what its command does, and an error ends one call.

use std::ffi::OsString;
use std::io::{self, BufRead, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::cli::common::CommonArgs;
use crate::error::Error;

/// Versions of the protocol, the newest first. They do not differ in what is used here.
const VERSIONS: [&str; 3] = ["2025-06-18", "2025-03-26", "2024-11-05"];
/// The longest message: a log to explain is in it.
const MAX_MESSAGE: u64 = 64 << 20;

/// JSON-RPC: the message is not JSON.
const PARSE_ERROR: i64 = -32_700;
/// JSON-RPC: no such method.
const NO_METHOD: i64 = -32_601;
/// JSON-RPC: wrong parameters.
const BAD_PARAMETERS: i64 = -32_602;

/// Answers messages on standard input until it is closed.
///
/// # Errors
/// If a stream fails. A client that is gone is no error.
pub(crate) fn run(common: &CommonArgs) -> Result<(), Error> {
    let mut input = io::stdin().lock();
    let mut output = io::stdout().lock();
    let host = host_options(common);
    loop {
        let mut line = Vec::new();
        let read = input.by_ref().take(MAX_MESSAGE).read_until(b'\n', &mut line);
        let bytes =
            read.map_err(|error| Error::File(format!("cannot read standard input: {error}")))?;
        if bytes == 0 {
            return Ok(());
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let Some(answer) = answer(&line, &host) else { continue };
        match writeln!(output, "{answer}").and_then(|()| output.flush()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => {
                return Err(Error::standard_output(&error));
            }
        }
    }
}

/// The options that choose a host, for the runs of the tools.
fn host_options(common: &CommonArgs) -> Vec<OsString> {
    let mut options: Vec<OsString> = Vec::new();
    let mut add = |name: &str, path: Option<&Path>| {
        if let Some(path) = path {
            options.extend([name.into(), path.as_os_str().to_owned()]);
        }
    };
    add("--root", common.root.as_deref());
    add("--capture", common.capture.as_deref());
    add("--simulator", common.simulator.as_deref());
    if common.demo {
        options.push("--demo".into());
    }
    options
}

/// Returns the answer to a message; `None` to a notification, which has none.
fn answer(line: &[u8], host: &[OsString]) -> Option<Value> {
    let message: Value = match serde_json::from_slice(line) {
        Ok(message) => message,
        Err(error) => return Some(failed(&Value::Null, PARSE_ERROR, &error.to_string())),
    };
    let id = message.get("id").filter(|id| !id.is_null())?;
    let parameters = message.get("params").unwrap_or(&Value::Null);
    let method = message.get("method").and_then(Value::as_str).unwrap_or_default();
    let result = match method {
        "initialize" => Ok(initialized(parameters)),
        "ping" => Ok(json!({})),
        "tools/list" => Ok(json!({ "tools": tools() })),
        "tools/call" => call(parameters, host).map_err(|message| (BAD_PARAMETERS, message)),
        _ => Err((NO_METHOD, format!("no method `{method}`"))),
    };
    Some(match result {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err((code, message)) => failed(id, code, &message),
    })
}

fn failed(id: &Value, code: i64, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

fn initialized(parameters: &Value) -> Value {
    let asked = parameters.get("protocolVersion").and_then(Value::as_str);
    let version = asked.filter(|asked| VERSIONS.contains(asked)).unwrap_or(VERSIONS[0]);
    json!({
        "protocolVersion": version,
        "capabilities": { "tools": {} },
        "serverInfo": { "name": "ttmem", "version": env!("CARGO_PKG_VERSION") },
        "instructions": "Memory of Tenstorrent devices. Values have a source and a quality; a missing value has a reason and is not 0.",
    })
}

fn tools() -> Value {
    let file = |text: &str| json!({ "type": "string", "description": text });
    let tool = |name: &str, text: &str, properties: Value, required: Value| {
        json!({
            "name": name,
            "description": text,
            "inputSchema": { "type": "object", "properties": properties, "required": required },
            "annotations": { "readOnlyHint": true },
        })
    };
    let source = "A recording, an agent segment such as /dev/shm/ttmem-4242-99, or a process id";
    json!([
        tool(
            "snapshot",
            "Chips, their memory by kind, processes and findings of this host, as JSON.",
            json!({}),
            json!([])
        ),
        tool(
            "buffers",
            "Live buffers of processes that run with the agent, with the op that allocated each, as JSON.",
            json!({
                "pid": { "type": "integer", "description": "Only this process" },
                "lines": { "type": "integer", "description": "Number of buffers to list, the largest first" },
            }),
            json!([])
        ),
        tool(
            "report",
            "What a run did with memory: peaks by op, failed allocations explained, what was never freed, as JSON.",
            json!({
                "source": file(source),
            }),
            json!(["source"])
        ),
        tool(
            "explain",
            "What TT-Metal's out-of-memory and clash messages mean, how many bytes are missing, and what to change, as JSON.",
            json!({
                "text": file("The log or the message"),
                "file": file("A file or folder of logs or memory reports, instead of text"),
            }),
            json!([])
        ),
        tool(
            "diff",
            "How two snapshots or recordings differ, as JSON.",
            json!({
                "before": file("The baseline: a file of ttmem --json, or a recording"),
                "after": file("The new one"),
            }),
            json!(["before", "after"])
        ),
    ])
}

/// Runs a tool. `Err` for wrong parameters; a command that fails is a result with its error.
fn call(parameters: &Value, host: &[OsString]) -> Result<Value, String> {
    let name = parameters.get("name").and_then(Value::as_str).unwrap_or_default();
    let given = parameters.get("arguments").unwrap_or(&Value::Null);
    let text = |key: &str| given.get(key).and_then(Value::as_str);
    let needed = |key: &str| text(key).ok_or_else(|| format!("{name} needs `{key}`, a string"));
    let number =
        |key: &str| given.get(key).and_then(Value::as_u64).map(|number| number.to_string());
    let (words, input): (Vec<String>, &str) = match name {
        "snapshot" => (vec!["--json".to_owned()], ""),
        "buffers" => {
            let mut words = vec!["buffers".to_owned(), "--json".to_owned()];
            words.extend(number("pid").map(|pid| format!("--pid={pid}")));
            words.extend(number("lines").map(|lines| format!("--lines={lines}")));
            (words, "")
        }
        "report" => (file_words("report", &[needed("source")?]), ""),
        "explain" => match (text("text"), text("file")) {
            (Some(log), None) => (file_words("explain", &[]), log),
            (None, Some(file)) => (file_words("explain", &[file]), ""),
            _ => return Err("explain needs `text` or `file`, a string".to_owned()),
        },
        "diff" => (file_words("diff", &[needed("before")?, needed("after")?]), ""),
        _ => return Err(format!("no tool `{name}`")),
    };
    let (text, is_error) = match ttmem(host, &words, input) {
        Ok(text) => (text, false),
        Err(message) => (message, true),
    };
    Ok(json!({ "content": [{ "type": "text", "text": text }], "isError": is_error }))
}

/// The words of a command with files, which may begin with a dash.
fn file_words(command: &str, files: &[&str]) -> Vec<String> {
    let words = [command, "--json", "--"].into_iter().chain(files.iter().copied());
    words.map(ToOwned::to_owned).collect()
}

/// Runs ttmem and returns its output, or its error.
fn ttmem(host: &[OsString], words: &[String], input: &str) -> Result<String, String> {
    let started = Command::new("/proc/self/exe")
        .args(host)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = started.map_err(|error| format!("cannot run ttmem: {error}"))?;
    if let Some(mut pipe) = child.stdin.take() {
        // A command that does not read its input closes it; its own message says more.
        pipe.write_all(input.as_bytes()).or_else(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Ok(()),
            _ => Err(format!("cannot write to ttmem: {error}")),
        })?;
    }
    let output = child.wait_with_output().map_err(|error| format!("cannot run ttmem: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    // A diff beyond its limit, or a log without known messages, still has a result.
    if output.status.success() || !text.trim().is_empty() {
        return Ok(text.into_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(line: &str) -> Value {
        answer(line.as_bytes(), &[]).unwrap_or(Value::Null)
    }

    #[test]
    fn the_version_that_the_client_speaks_is_spoken() {
        let ask = |version| {
            let line = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": { "protocolVersion": version } });
            ask(&line.to_string())["result"]["protocolVersion"].clone()
        };
        assert_eq!(ask("2024-11-05"), "2024-11-05");
        assert_eq!(ask("2099-01-01"), VERSIONS[0]);
    }

    #[test]
    fn errors_have_the_codes_of_the_protocol() {
        assert_eq!(ask("{")["error"]["code"], PARSE_ERROR);
        assert_eq!(ask(r#"{"id": 1, "method": "none"}"#)["error"]["code"], NO_METHOD);
        let call = r#"{"id": 1, "method": "tools/call", "params": {"name": "report"}}"#;
        assert_eq!(ask(call)["error"]["code"], BAD_PARAMETERS);
        assert_eq!(ask(r#"{"method": "notifications/initialized"}"#), Value::Null);
        assert_eq!(ask("[1]"), Value::Null);
    }
}
