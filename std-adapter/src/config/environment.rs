//! What the configuration takes from outside the program: variables, the host's name, the user.
//!
//! Everything goes through [`Environment`], so that tests hand in a table instead of changing the
//! process they run in.

use std::ffi::OsString;
use std::path::PathBuf;

use super::error::{ConfigError, Setting};

/// Looks a variable up.
type Lookup = Box<dyn Fn(&str) -> Option<OsString> + Send + Sync>;

/// The environment that a program starts in.
pub(crate) struct Environment {
    lookup: Lookup,
    host: Box<dyn Fn() -> String + Send + Sync>,
    root: bool,
}

impl Environment {
    /// The real ones.
    pub(crate) fn process() -> Environment {
        Environment::with_lookup(|name| std::env::var_os(name))
    }

    /// The real host and user, with variables from `lookup`.
    pub(crate) fn with_lookup(
        lookup: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static,
    ) -> Environment {
        Environment {
            lookup: Box::new(lookup),
            host: Box::new(host_name),
            root: rustix::process::geteuid().is_root(),
        }
    }

    /// The variable as text. An empty one, or one of blanks only, counts as absent.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<String>, ConfigError> {
        let Some(value) = (self.lookup)(name) else { return Ok(None) };
        match value.into_string() {
            Ok(text) => {
                let trimmed = text.trim();
                Ok((!trimmed.is_empty()).then(|| trimmed.to_owned()))
            }
            Err(_) => Err(ConfigError::NotUnicode { setting: Setting::Variable(name) }),
        }
    }

    /// The variable as it is, blanks and all, for secrets. An empty one counts as absent.
    pub(crate) fn exact(&self, name: &'static str) -> Result<Option<String>, ConfigError> {
        let Some(value) = (self.lookup)(name) else { return Ok(None) };
        match value.into_string() {
            Ok(text) => Ok((!text.is_empty()).then_some(text)),
            Err(_) => Err(ConfigError::NotUnicode { setting: Setting::Variable(name) }),
        }
    }

    /// The variable as a path, of any bytes. An empty one counts as absent.
    pub(crate) fn path(&self, name: &'static str) -> Option<PathBuf> {
        (self.lookup)(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// The host's name up to its first dot.
    pub(crate) fn host(&self) -> String {
        let name = (self.host)();
        match name.split('.').next() {
            Some(short) if !short.is_empty() => short.to_owned(),
            _ => "localhost".to_owned(),
        }
    }

    /// Whether the program runs as root.
    pub(crate) fn is_root(&self) -> bool {
        self.root
    }
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use std::collections::HashMap;

    /// An ordinary user on the host `pump7.example.org`, with these variables.
    pub(crate) fn environment(variables: &[(&str, &str)]) -> Environment {
        let table: HashMap<String, OsString> =
            variables.iter().map(|(k, v)| ((*k).to_owned(), OsString::from(v))).collect();
        Environment {
            lookup: Box::new(move |name| table.get(name).cloned()),
            host: Box::new(|| "pump7.example.org".to_owned()),
            root: false,
        }
    }

    impl Environment {
        pub(crate) fn of_root(mut self) -> Environment {
            self.root = true;
            self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn empty_and_blank_variables_count_as_absent() {
        let env = testing::environment(&[("A", ""), ("B", "  "), ("C", " x ")]);
        assert_eq!(env.text("A").unwrap(), None);
        assert_eq!(env.text("B").unwrap(), None);
        assert_eq!(env.text("C").unwrap().as_deref(), Some("x"));
        assert_eq!(env.exact("C").unwrap().as_deref(), Some(" x "));
        assert_eq!(env.path("A"), None);
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_as_text_and_taken_as_a_path() {
        let env = Environment::with_lookup(|_| Some(OsString::from_vec(vec![b'/', 0xff])));
        let error = env.text("ALERT_NAME").unwrap_err();
        assert_eq!(
            error.to_string(),
            "ALERT_NAME is not valid UTF-8: write it in UTF-8 or unset it"
        );
        assert!(env.exact("VONAGE_API_SECRET").is_err());
        assert!(env.path("ALERT_SPOOL").is_some());
    }

    #[test]
    fn the_host_name_is_cut_at_its_first_dot() {
        assert_eq!(testing::environment(&[]).host(), "pump7");
        assert!(!Environment::process().host().is_empty());
    }
}
