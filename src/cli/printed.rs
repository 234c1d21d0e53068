//! The completion scripts and the man page: made from the same definitions as `--help`, so that they can't disagree with it.

use std::io;

use clap::{Arg, Command};
use clap_complete::{Generator as _, Shell};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

const DESCRIPTION: &str = "Tenfour is a Discord bot. It posts the 911 calls, dispatch calls, and panics of a Sonoran CAD community as they \
                           happen, and keeps each message up to date. Without a command, it runs the bot.";

/// Sections of the man page that `--help` doesn't have, each with its entries. An entry without a term is a paragraph.
const SECTIONS: [(&str, &[(&str, &str)]); 4] = [
    (
        "SETTINGS",
        &[(
            "",
            "Settings come from the environment or from a file named .env in the working directory. The environment wins. The file \
             .env.example explains each setting.",
        )],
    ),
    (
        "GETTING STARTED",
        &[
            ("tenfour demo", "Try the bot. You need no account."),
            ("tenfour check", "Copy .env.example to .env, fill it in, and run this. It finds what is missing and says how to fix it."),
            ("tenfour invite", "Open the link that it prints, and add the bot to your Discord server."),
            ("tenfour", "Run the bot. Then type /cad setup in Discord."),
        ],
    ),
    (
        "FILES",
        &[
            (".env", "The settings. It holds two secrets: make it readable by the bot's user only."),
            ("data/tenfour.db", "The database, unless DATABASE_URL names another file."),
        ],
    ),
    ("EXIT STATUS", &[("0", "Success."), ("1", "The command failed. Standard error says why."), ("2", "The arguments are wrong.")]),
];

/// The program's completion script for a shell.
///
/// # Errors
/// If the generator fails.
pub(super) fn completions(program: Command, shell: Shell) -> io::Result<String> {
    // A generator offers hidden commands, too.
    let visible = program.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let mut program = Command::new("tenfour").version(env!("CARGO_PKG_VERSION")).subcommands(visible).bin_name("tenfour");
    program.build();
    let mut script = Vec::new();
    shell.try_generate(&program, &mut script)?;
    text(script)
}

/// The man page, in roff: one page for the program and all of its commands.
///
/// # Errors
/// If the generator fails.
pub(super) fn man_page(mut program: Command) -> io::Result<String> {
    program.build();
    let mut page = Vec::new();
    let man = Man::new(program.clone()).manual("Tenfour");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    let mut roff = Roff::new();
    roff.control("SH", ["DESCRIPTION"]).text([roman(DESCRIPTION)]);
    roff.control("SH", ["COMMANDS"]);
    for command in program.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help") {
        describe(&mut roff, command);
    }
    roff.control("SH", ["OPTIONS"]);
    for arg in program.get_arguments().filter(|arg| !arg.is_hide_set()) {
        explain(&mut roff, arg);
    }
    for (heading, entries) in SECTIONS {
        roff.control("SH", [heading]);
        for (term, meaning) in entries {
            if !term.is_empty() {
                roff.control("TP", []).text([bold(*term)]);
            }
            roff.text([roman(*meaning)]);
        }
    }
    roff.to_writer(&mut page)?;
    text(page)
}

/// A command as a subsection: its usage, what it does, its arguments.
fn describe(roff: &mut Roff, command: &Command) {
    let arguments: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_hide_set() && arg.get_id() != "help").collect();
    let mut usage = vec![bold(format!("tenfour {}", command.get_name()))];
    for arg in &arguments {
        usage.push(roman(" "));
        if arg.is_required_set() {
            usage.extend(signature(arg));
        } else {
            usage.push(roman("["));
            usage.extend(signature(arg));
            usage.push(roman("]"));
        }
    }
    roff.control("TP", []).text(usage);
    if let Some(about) = command.get_long_about().or_else(|| command.get_about()) {
        roff.text([roman(sentence(&about.to_string().replace("\n\n", " ")))]);
    }
    if !arguments.is_empty() {
        roff.control("RS", []);
        for arg in arguments {
            explain(roff, arg);
        }
        roff.control("RE", []);
    }
}

/// An argument, what it means, and the values that it may have.
fn explain(roff: &mut Roff, arg: &Arg) {
    roff.control("TP", []).text(signature(arg));
    let mut meaning = arg.get_help().map(|help| sentence(&help.to_string())).unwrap_or_default();
    if arg.get_action().takes_values() {
        let values: Vec<String> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        if !values.is_empty() {
            meaning.push_str(&format!(" One of: {}.", values.join(", ")));
        }
        let default: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        if !default.is_empty() {
            meaning.push_str(&format!(" The default is {}.", default.join(" ")));
        }
    }
    roff.text([roman(meaning)]);
}

/// With the period that clap takes away from a text of one sentence.
fn sentence(text: &str) -> String {
    format!("{}.", text.strip_suffix('.').unwrap_or(text))
}

/// `--page ADDRESS`, `-h, --help`, or `FILE`.
fn signature(arg: &Arg) -> Vec<Inline> {
    let mut parts = Vec::new();
    if let Some(short) = arg.get_short() {
        parts.extend([bold(format!("-{short}")), roman(", ")]);
    }
    if let Some(long) = arg.get_long() {
        parts.push(bold(format!("--{long}")));
    }
    if let Some(names) = arg.get_value_names().filter(|_| arg.get_action().takes_values()) {
        if !parts.is_empty() {
            parts.push(roman(" "));
        }
        parts.push(italic(names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" ")));
    }
    parts
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, ValueEnum as _};

    use super::*;
    use crate::cli::Cli;

    fn commands(hidden: bool) -> Vec<String> {
        let mut program = Cli::command();
        program.build();
        let commands = program.get_subcommands().filter(|command| command.is_hide_set() == hidden && command.get_name() != "help");
        commands.map(|command| command.get_name().to_owned()).collect()
    }

    fn words(text: &str) -> Vec<&str> {
        text.split(|c: char| !c.is_ascii_alphanumeric()).collect()
    }

    #[test]
    fn every_shell_completes_every_visible_command_and_option_and_no_hidden_one() {
        assert!(commands(false).len() >= 6, "{:?}", commands(false));
        for shell in Shell::value_variants() {
            let script = completions(Cli::command(), *shell).unwrap();
            let words = words(&script);
            for word in commands(false).iter().map(String::as_str).chain(["once", "page", "speed", "quiet", "version"]) {
                assert!(words.contains(&word), "{shell}: {word} is missing in\n{script}");
            }
            for word in commands(true) {
                assert!(!words.contains(&word.as_str()), "{shell}: {word} is in\n{script}");
            }
        }
    }

    #[test]
    fn the_man_page_describes_every_visible_command_and_no_other() {
        let page = man_page(Cli::command()).unwrap();
        for name in commands(false) {
            assert!(page.contains(&format!("\\fBtenfour {name}\\fR")), "{name} is missing in\n{page}");
        }
        for name in commands(true) {
            assert!(!page.contains(&format!("tenfour {name}")), "{name} is in\n{page}");
        }
        for part in ["SH NAME", "SH SYNOPSIS", "SH COMMANDS", "SH OPTIONS", "SH SETTINGS", "\\-\\-once", "127.0.0.1:8110", "powershell"] {
            assert!(page.contains(part), "{part} is missing in\n{page}");
        }
    }

    #[test]
    fn the_man_page_has_whole_sentences() {
        let page = man_page(Cli::command()).unwrap();
        let (_, described) = page.split_once(".SH DESCRIPTION").unwrap();
        for line in described.lines().filter(|line| !line.starts_with(['.', '\\']) && line.contains(' ')) {
            assert!(line.ends_with('.'), "{line:?} in\n{page}");
        }
    }
}
