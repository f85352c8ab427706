//! Writes the help from the tables of commands and options.

use std::fmt::{self, Write};

use super::options::{OPTIONS, Row};
use super::{COMMANDS, Command};

/// The width of the help in columns.
const WIDTH: usize = 110;

/// Columns before a row's description, without the separating space.
const INDENT: usize = 23;

/// Writes the help of a command, or of the program.
pub(super) fn write(out: &mut dyn Write, command: Option<&Command>) -> fmt::Result {
    let Some(command) = command else { return program(out) };
    let Command { usage, summary, help, .. } = command;
    let name = command.name();
    writeln!(out, "sureplug {name}: {summary}\n\nUsage: sureplug {usage} [OPTIONS]\n")?;
    options(out, |option| !option.commands.is_empty() && option.is_of(name))?;
    writeln!(out, "  and all options of `sureplug --help`\n\n{help}")
}

fn program(out: &mut dyn Write) -> fmt::Result {
    out.write_str(
        "sureplug: USB hotplug events that an embedded Linux board cannot lose\n\n\
         Usage: sureplug [COMMAND] [OPTIONS]\n\nCommands:\n",
    )?;
    for command in COMMANDS {
        row(out, command.usage, command.summary)?;
    }
    row(out, "help [COMMAND]", "show the help of a command")?;
    out.write_str("\nOptions of all commands:\n")?;
    options(out, |option| option.commands.is_empty())?;
    out.write_str(
        "\nThe default command is `run`.\n\
         Exit codes: 0 success, 1 a finding, 2 wrong usage, 3 refused by the system.\n",
    )
}

fn options(out: &mut dyn Write, are_shown: impl Fn(&Row) -> bool) -> fmt::Result {
    OPTIONS
        .iter()
        .filter(|option| are_shown(option))
        .try_for_each(|option| row(out, option.spelling, option.help))
}

/// Writes a name and its description, wrapped beside it.
fn row(out: &mut dyn Write, name: &str, text: &str) -> fmt::Result {
    write!(out, "  {name:<width$}", width = INDENT - 2)?;
    let mut column = INDENT.max(2 + name.len());
    for word in text.split(' ') {
        if column + 1 + word.len() > WIDTH {
            write!(out, "\n{:INDENT$}", "")?;
            column = INDENT;
        }
        write!(out, " {word}")?;
        column += 1 + word.len();
    }
    out.write_char('\n')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::cli::parse::listed;

    /// Checks that a file has the generated text between the markers; an empty marker is the file's
    /// beginning or end. With `UPDATE=1` in the environment, writes the file instead.
    fn assert_made(file: &str, markers: [&str; 2], made: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let found = fs::read_to_string(&path).unwrap_or_default();
        let (before, rest) = found.split_once(markers[0]).expect(markers[0]);
        let end = if markers[1].is_empty() { rest.len() } else { rest.find(markers[1]).expect(markers[1]) };
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, [before, markers[0], made, &rest[end..]].concat()).unwrap();
        } else {
            let advice = "differs from the tables: update it by UPDATE=1 cargo test -p sureplug-board tables";
            assert!(&rest[..end] == made, "{file} {advice}");
        }
    }

    /// Puts paths, kernel names and patterns into backquotes.
    fn marked_up(text: &str) -> String {
        let words = text.split(' ').map(|word| {
            let end = word.trim_end_matches([')', ';', ',', ':']).len();
            let start = usize::from(word.starts_with('('));
            if word.contains('`') || !word.contains(['_', '/']) {
                return word.to_owned();
            }
            format!("{}`{}`{}", &word[..start], &word[start..end], &word[end..])
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn manual_has_the_tables_of_commands_and_options() {
        let mut made = String::from("\n| command | does |\n|---|---|\n");
        for command in COMMANDS {
            writeln!(made, "| `sureplug {}` | {} |", command.usage, command.summary).unwrap();
        }
        made.push_str("\n| option | of | does (default) |\n|---|---|---|\n");
        for Row { spelling, commands, help, .. } in OPTIONS {
            let spelling = spelling.replace(", ", "`, `");
            let of = if commands.is_empty() { String::from("all") } else { listed(commands) };
            writeln!(made, "| `{spelling}` | {of} | {} |", marked_up(help)).unwrap();
        }
        made.push('\n');
        assert_made(
            "MANUAL.md",
            ["<!-- tables of commands and options -->\n", "<!-- end of the tables -->"],
            &made,
        );
    }

    #[test]
    fn run_options_of_images_match_the_tables() {
        let mut made = String::new();
        for option in OPTIONS.iter().filter(|option| option.is_of("run")) {
            for name in option.spelling.split(", ") {
                made += name.split(' ').next().unwrap_or_default();
                made.push('\n');
            }
        }
        assert_made("dist/run-options", ["", ""], &made);
    }

    #[test]
    fn tables_have_unique_names_and_known_commands() {
        let commands: BTreeSet<_> = COMMANDS.iter().map(Command::name).collect();
        assert_eq!(commands.len(), COMMANDS.len());
        let names: BTreeSet<_> = OPTIONS.iter().map(Row::name).collect();
        assert_eq!(names.len(), OPTIONS.len());
        for option in OPTIONS {
            assert!(!option.name().is_empty(), "{}", option.spelling);
            assert!(option.commands.iter().all(|name| commands.contains(name)), "{}", option.spelling);
            assert!(!option.help.contains(['|', '\n']) && !option.help.contains("  "), "{}", option.help);
        }
    }

    #[test]
    fn help_shows_each_option_once_within_its_width() {
        let mut text = String::new();
        write(&mut text, None).unwrap();
        for command in COMMANDS {
            write(&mut text, Some(command)).unwrap();
        }
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        for option in OPTIONS {
            let shown = text.lines().filter(|line| line.trim_start().starts_with(option.spelling)).count();
            assert_eq!(shown, option.commands.len().max(1), "{}", option.spelling);
        }
    }
}
