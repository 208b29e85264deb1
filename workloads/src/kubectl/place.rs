//! Which cluster and namespace: `kubectl`'s own flags, by their names.

use std::ffi::OsString;

/// Where to ask; what is absent is as `kubectl` has it.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The namespace; by default the context's
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// The context of the kubeconfig
    #[arg(long, value_name = "CONTEXT")]
    pub context: Option<String>,
    /// The kubeconfig
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<String>,
}

impl Place {
    /// The flags for `kubectl`.
    pub(super) fn flags(&self) -> Vec<String> {
        let flag = |name: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!("--{name}={value}"))
        };
        let all = [
            flag("namespace", &self.namespace),
            flag("context", &self.context),
            flag("kubeconfig", &self.kubeconfig),
        ];
        all.into_iter().flatten().collect()
    }

    /// Takes those of its flags that stand between other arguments, up to `--`; these stay in their order.
    pub fn take_from(&mut self, args: Vec<OsString>) -> Vec<OsString> {
        let mut rest = Vec::with_capacity(args.len());
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            if arg == "--" {
                rest.extend(args);
                break;
            }
            let text = arg.to_string_lossy();
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (&*text, None),
            };
            match self.field(name) {
                Some(field) => {
                    let next = || args.next().map(|value| value.to_string_lossy().into_owned());
                    *field = value.or_else(next);
                }
                None => rest.push(arg),
            }
        }
        rest
    }

    fn field(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name {
            "-n" | "--namespace" => Some(&mut self.namespace),
            "--context" => Some(&mut self.context),
            "--kubeconfig" => Some(&mut self.kubeconfig),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(args: &[&str]) -> (Place, Vec<String>) {
        let mut place = Place::default();
        let rest = place.take_from(args.iter().map(OsString::from).collect());
        (place, rest.into_iter().map(|arg| arg.into_string().unwrap()).collect())
    }

    #[test]
    fn flags_of_kubectl_may_stand_anywhere_before_two_dashes() {
        let (place, rest) =
            taken(&["--limit", "3", "-n", "prod", "--context=east", "--", "-n", "mine"]);
        assert_eq!(place.flags(), ["--namespace=prod", "--context=east"]);
        assert_eq!(rest, ["--limit", "3", "-n", "mine"]);
    }

    #[test]
    fn without_flags_everything_stays() {
        let (place, rest) = taken(&["--json"]);
        assert_eq!((place, rest), (Place::default(), vec!["--json".to_owned()]));
    }
}
