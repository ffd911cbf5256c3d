//! Readable names from mangled ones, as far as they are needed: which op a function belongs to.

/// The op that a mangled name mentions.
///
/// It is the first type whose name ends in `DeviceOperation`, like `BinaryNgDeviceOperation`. Where there is none, but the
/// function is the one that announces an op to the graph tracker, it is the type of the op's attributes or what that type
/// belongs to: `Matmul` of `ttnn::prim::MatmulParams`, `indexer_score` of `indexer_score::operation_attributes_t`.
pub(crate) fn op(mangled: &str) -> Option<&str> {
    const OP: &str = "DeviceOperation";
    const ATTRIBUTES: [&str; 2] = ["operation_attributes_t", "OperationArguments"];
    let named = identifiers(mangled).find(|name| name.len() > OP.len() && name.ends_with(OP));
    if named.is_some() {
        return named;
    }
    let (_, arguments) = mangled.split_once("ScopedTrackedFunctionC")?;
    let mut rest = arguments
        .get(1..)?
        .strip_prefix("IJ")?
        .trim_start_matches(['R', 'K', 'O'])
        .strip_prefix('N')?;
    let mut last = None;
    while let Some((name, after)) = identifier(rest) {
        if !ATTRIBUTES.contains(&name) {
            last = Some(name);
        }
        rest = after;
    }
    last.map(|name| name.strip_suffix("Params").filter(|short| !short.is_empty()).unwrap_or(name))
}

/// The function's own name with its namespaces, like `ttnn::create_device_tensor`. `None` if it is not mangled.
pub(crate) fn function(mangled: &str) -> Option<String> {
    let rest = mangled.strip_prefix("_Z")?;
    let nested = rest.strip_prefix('N').map(|rest| rest.trim_start_matches(['K', 'V', 'r']));
    let Some(mut rest) = nested else {
        return identifier(rest).map(|(name, _)| name.to_owned());
    };
    let mut parts = Vec::new();
    if let Some(after) = rest.strip_prefix("St") {
        parts.push("std");
        rest = after;
    }
    while let Some((name, after)) = identifier(rest) {
        parts.push(name);
        rest = after;
        // Template arguments of an enclosing class end what can be read without a demangler.
        if rest.starts_with('I') {
            break;
        }
    }
    (!parts.is_empty()).then(|| parts.join("::"))
}

/// All source names in a mangled name, in their order.
fn identifiers(mangled: &str) -> impl Iterator<Item = &str> {
    let mut rest = mangled;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find(|character: char| character.is_ascii_digit())?;
            rest = &rest[start..];
            if let Some((name, after)) = identifier(rest) {
                rest = after;
                return Some(name);
            }
            rest = rest.trim_start_matches(|character: char| character.is_ascii_digit());
        }
    })
}

/// The source name at the start: its length, then itself.
fn identifier(mangled: &str) -> Option<(&str, &str)> {
    let digits = mangled.find(|character: char| !character.is_ascii_digit())?;
    let length: usize = mangled.get(..digits)?.parse().ok()?;
    let name = mangled.get(digits..digits.checked_add(length)?)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_name =
        !name.is_empty() && !name.as_bytes()[0].is_ascii_digit() && name.bytes().all(plain);
    is_name.then(|| (name, &mangled[digits + length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_op_is_found_in_template_arguments() {
        let scope = "_ZN2tt8tt_metal8internal21ScopedTrackedFunctionC2IJRKN4ttnn10operations9binary_ng\
                     23BinaryNgDeviceOperation22operation_attributes_tERSt6vectorIiSaIiEEEEESt17basic_string_viewIcE";
        assert_eq!(op(scope), Some("BinaryNgDeviceOperation"));
        let scope = |attributes: &str| {
            format!(
                "_ZN2tt8tt_metal8internal21ScopedTrackedFunctionC2IJRK{attributes}RSt6vectorIiEEEE"
            )
        };
        assert_eq!(op(&scope("N4ttnn4prim12MatmulParamsE")), Some("Matmul"));
        assert_eq!(op(&scope("N4ttnn7indexer22operation_attributes_tE")), Some("indexer"));
        assert_eq!(op(&scope("St6vector")), None);
        assert_eq!(op("_ZN4ttnn6Tensor15deallocate_implEb"), None);
        assert_eq!(op("_ZN4ttnn15DeviceOperationE"), None);
    }

    #[test]
    fn a_function_is_named_with_its_namespaces() {
        let name = |mangled: &str| function(mangled);
        assert_eq!(
            name("_ZN4ttnn6Tensor15deallocate_implEb").unwrap(),
            "ttnn::Tensor::deallocate_impl"
        );
        assert_eq!(name("_ZNK4ttnn6Tensor3runEv").unwrap(), "ttnn::Tensor::run");
        assert_eq!(name("_Z4mainv").unwrap(), "main");
        assert_eq!(name("_ZN4ttnn3boxIiE3putEi").unwrap(), "ttnn::box");
        assert_eq!(name("main"), None);
    }

    #[test]
    fn odd_names_are_harmless() {
        for odd in
            ["", "_Z", "_ZN", "_ZN99x", "_ZN18446744073709551616x", "9", "_ZN1", "äöü9ä", "_ZN3aéb"]
        {
            op(odd);
            function(odd);
        }
    }
}
