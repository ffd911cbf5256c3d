use super::*;

fn faults(text: &str) -> Vec<String> {
    Settings::parse(text).1.iter().map(Fault::to_string).collect()
}

#[test]
fn the_default_file_changes_nothing_and_names_every_key() {
    let text = Settings::default_file();
    assert_eq!(Settings::parse(&text), (Settings::default(), vec![]));
    let switched_on: String = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let (settings, faults) = Settings::parse(&switched_on);
    assert_eq!(faults, []);
    assert_eq!(Settings { theme: None, ..settings }, Settings::default());
    for key in KEYS {
        assert!(switched_on.contains(&format!("\n{} = ", key.name)), "{}", key.name);
    }
}

#[test]
fn the_default_file_is_reviewed_when_it_changes() {
    insta::assert_snapshot!(Settings::default_file());
}

#[test]
fn the_file_names_every_metric_view_and_column() {
    let text = Settings::default_file();
    for panel in Panel::of_chips().into_iter().chain(Panel::of_processes()) {
        assert!(text.contains(panel.name()), "{}", panel.name());
    }
    for name in View::ALL.map(View::name).into_iter().chain(Column::ALL.map(Column::name)) {
        assert!(text.contains(name), "{name}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_the_rest_counts() {
    let text = "theme = \"light\"\ncolour = 1\ninterval = \"10ms\"\nwindow = 7\ntree = \"yes\"\n";
    let (settings, _) = Settings::parse(text);
    assert_eq!(settings.theme, Some(Theme::Light));
    assert_eq!(settings.interval_micros, 1_000_000);
    let found = faults(text);
    assert!(
        found[0].starts_with("line 2: unknown key colour; there are theme, ascii"),
        "{found:?}"
    );
    assert_eq!(found[1], "line 3: interval: 10ms: the time must be between 100ms and one day");
    assert_eq!(found[2], "line 4: window: 1, 5, 15 or 60 is needed");
    assert_eq!(found[3], "line 5: tree: true or false is needed, not string");
    assert_eq!(faults("interval = \"5m\""), ["line 1: interval: 5m is longer than 60s"]);
    assert_eq!(faults("metrics = []"), ["line 1: metrics: at least one chart is needed"]);
    assert_eq!(faults("metrics = [\"gpu\"]"), ["line 1: metrics: there is no chart gpu"]);
    assert_eq!(
        faults("theme = \"pink\""),
        ["line 1: theme: pink is not one of default, light, high-contrast, colour-blind, mono"]
    );
}

#[test]
fn what_a_file_of_0_1_said_of_chips_is_no_fault() {
    assert_eq!(faults("overlay = false"), [] as [&str; 0]);
    let (settings, _) = Settings::parse("chips = \"tray\"");
    assert_eq!(settings.arrange, Some(Arrange::Trays));
    assert_eq!(
        faults("chips = \"many\""),
        ["line 1: chips: many is not one of auto, overlay, each, sum, maximum, tray, board"]
    );
}

#[test]
fn what_is_no_toml_is_one_fault() {
    let found = faults("theme = \"light\"\nview = = 3\n");
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("line 2: "), "{found:?}");
}

#[test]
fn choices_are_written_back_in_place() {
    let before = Settings::default();
    let after = Settings {
        theme: Some(Theme::Light),
        interval_micros: 250_000,
        tree: true,
        ..Settings::default()
    };
    let text = "# mine\ninterval = \"1s\" # why not\n\n#tree = false\n";
    let changed = Settings::changed(text, &before, &after);
    assert_eq!(changed, "# mine\ninterval = \"250ms\"\n\ntree = true\ntheme = \"light\"\n");
    let (read, faults) = Settings::parse(&changed);
    assert_eq!((read, faults), (after, vec![]));
}

#[test]
fn the_standard_says_where_it_is() {
    let at = |pairs: &[(&str, &str)]| {
        path(|name| {
            pairs.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
        })
    };
    let home = ("HOME", "/home/alice");
    assert_eq!(at(&[home]), Some("/home/alice/.config/ttmem/config.toml".into()));
    assert_eq!(
        at(&[home, ("XDG_CONFIG_HOME", "/etc/xdg")]),
        Some("/etc/xdg/ttmem/config.toml".into())
    );
    assert_eq!(
        at(&[home, ("XDG_CONFIG_HOME", "relative")]),
        Some("/home/alice/.config/ttmem/config.toml".into())
    );
    assert_eq!(at(&[]), None);
}

#[test]
fn what_was_not_changed_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ttmem/config.toml");
    let read = || Configuration::read(Some(path.clone())).unwrap();
    assert_eq!(read().remember(&Settings::default()).unwrap(), None);
    assert!(!path.exists());
    let tree = Settings { tree: true, ..Settings::default() };
    assert_eq!(read().remember(&tree).unwrap(), Some(path.as_path()));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "tree = true\n");
    assert!(read().settings.tree);
    std::fs::write(&path, "remember = false\n").unwrap();
    assert_eq!(read().remember(&tree).unwrap(), None);
    std::fs::write(&path, "nonsense = 1\n").unwrap();
    assert_eq!(read().remember(&tree).unwrap(), None);
}
