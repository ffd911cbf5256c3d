//! Arguments of a command that are defined only if the command is given.

use clap::builder::Resettable;
use clap::error::Error;
use clap::{ArgMatches, Args, Command, FromArgMatches};

/// Arguments whose definition waits until their command is parsed, or its help is printed. To define those of all
/// commands takes a third of the time that `ttmem -h` runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deferred<T>(pub(crate) T);

impl<T: Args> Args for Deferred<T> {
    fn augment_args(command: Command) -> Command {
        command.defer(define::<T>)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<T: FromArgMatches> FromArgMatches for Deferred<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

/// Defines the arguments. The description of the command stays what it is: that of the arguments' type is for readers
/// of the code.
fn define<T: Args>(command: Command) -> Command {
    let about = command.get_about().cloned();
    let long_about = command.get_long_about().cloned();
    T::augment_args(command).about(Resettable::from(about)).long_about(Resettable::from(long_about))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use crate::cli::Cli;

    #[test]
    fn arguments_wait_until_their_command_is_built_and_its_description_stays() {
        let mut whole = Cli::command();
        let described = |whole: &clap::Command, name: &str| {
            let command = whole.find_subcommand(name).unwrap();
            let texts = [command.get_about(), command.get_long_about()];
            (texts.map(|text| text.map(ToString::to_string)), command.get_arguments().count())
        };
        let before = ["top", "l1"].map(|name| described(&whole, name));
        assert_eq!(before[0].0, [Some("Watch chips and processes live".to_owned()), None]);
        assert!(before[1].0[1].as_ref().is_some_and(|text| text.contains("1 KiB per core")));
        assert!(before.iter().all(|(_, arguments)| *arguments == 0));
        whole.build();
        let after = ["top", "l1"].map(|name| described(&whole, name));
        assert!(after.iter().all(|(_, arguments)| *arguments > 5));
        assert_eq!(after.map(|(texts, _)| texts), before.map(|(texts, _)| texts));
    }
}
