//! The calls of a program that led to an allocation.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A call of a function of the program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StackFrame {
    /// The function: from Python 3.11 on its qualified name.
    pub function: String,
    /// The file of its source, as the interpreter has it. One that is too long begins with `…`.
    pub file: String,
    /// The line that was running; `None` if the code has none.
    pub line: Option<u32>,
}

/// Directories of packages whose calls are not the user's: of each, the part of a file's path.
const PACKAGES: [&str; 5] = ["/ttnn/", "/ttmem/", "/tracy/", "/loguru/", "/importlib/"];

impl StackFrame {
    /// True if the function belongs to `ttnn`, to `ttmem`, or to what Python starts a program with.
    fn is_of_library(&self) -> bool {
        let is_installed =
            self.file.contains("/site-packages/") || self.file.contains("/dist-packages/");
        self.file.starts_with('<')
            || is_installed && PACKAGES.iter().any(|package| self.file.contains(package))
            // A checkout of TT-Metal.
            || self.file.contains("/ttnn/ttnn/")
    }

    /// The last part of the path.
    fn file_name(&self) -> &str {
        self.file.rsplit('/').next().unwrap_or(&self.file)
    }
}

/// Writes the frame as `model.py:42 in forward`.
impl fmt::Display for StackFrame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.file_name())?;
        if let Some(line) = self.line {
            write!(formatter, ":{line}")?;
        }
        if self.function != "<module>" {
            write!(formatter, " in {}", self.function)?;
        }
        Ok(())
    }
}

/// The innermost call of the user's own code: the first outside of `ttnn`, `ttmem` and Python's start. The innermost of
/// all if there is none. Frames are the innermost first.
#[must_use]
pub fn caller(frames: &[StackFrame]) -> Option<&StackFrame> {
    frames.iter().find(|frame| !frame.is_of_library()).or(frames.first())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, file: &str, line: Option<u32>) -> StackFrame {
        StackFrame { function: function.to_owned(), file: file.to_owned(), line }
    }

    #[test]
    fn the_caller_is_the_users_own_code() {
        let library = "/venv/lib/python3.10/site-packages/ttnn/decorators.py";
        let own = frame("Model.forward", "/home/user/model.py", Some(42));
        let outer = frame("<module>", "/home/user/run.py", None);
        let frames = [
            frame("__call__", library, Some(600)),
            frame("_call_with_frames_removed", "<frozen importlib._bootstrap>", Some(1)),
            own.clone(),
            outer.clone(),
        ];
        assert_eq!(caller(&frames), Some(&own));
        assert_eq!(own.to_string(), "model.py:42 in Model.forward");
        assert_eq!(outer.to_string(), "run.py");
        assert_eq!(caller(&frames[..1]), frames.first());
        assert_eq!(caller(&[]), None);
        // A user's own package of that name, and a checkout of TT-Metal.
        let user = frame("f", "/home/user/ttnn/model.py", Some(1));
        assert_eq!(
            caller(&[frame("g", "/src/tt-metal/ttnn/ttnn/op.py", None), user.clone()]),
            Some(&user)
        );
    }
}
