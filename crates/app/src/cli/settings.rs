//! One flag for every setting of a video, from the same table that names them in front matter and project files.

use clap::{
    Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueHint, builder::PossibleValuesParser,
    error::ErrorKind,
};
use videos::request::{Form, KEYS, Key, RequestPatch};

/// What the flags say.
#[derive(Debug, Clone, Default)]
pub(crate) struct SettingFlags {
    pub(crate) patch: RequestPatch,
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        KEYS.iter().fold(command.next_help_heading("Settings"), |command, key| command.arg(flag(key)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn flag(key: &Key) -> Arg {
    let flag = Arg::new(key.name).long(key.name).help(key.help).action(ArgAction::Append);
    match key.form {
        Form::Text => flag.value_name("TEXT"),
        Form::Path => flag.value_name("PATH").value_hint(ValueHint::AnyPath),
        Form::Flag => flag.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("true|false"),
        Form::OneOf(names) => flag.value_name("NAME").value_parser(PossibleValuesParser::new(names())),
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for key in KEYS {
            let Some(values) = matches.get_many::<String>(key.name) else { continue };
            let texts: Vec<String> = values.cloned().collect();
            key.read_texts(&mut self.patch, &texts)
                .map_err(|fault| clap::Error::raw(ErrorKind::InvalidValue, format!("`--{}` {fault}\n", key.name)))?;
        }
        Ok(())
    }
}
