//! Cells of a line. Only a core's coordinates are ever quoted.

/// The cells, without the spaces around them and without quotes.
pub(super) fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            other => {
                if let Some(cell) = cells.last_mut() {
                    cell.push(other);
                }
            }
        }
    }
    for cell in &mut cells {
        *cell = cell.trim().to_owned();
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_protect_commas() {
        assert_eq!(cells(r#",1, 2,"(x=0,y=1)", 12,"#), ["", "1", "2", "(x=0,y=1)", "12", ""]);
        assert_eq!(cells(""), [""]);
        assert_eq!(cells(r#"",""#), [","]);
    }
}
