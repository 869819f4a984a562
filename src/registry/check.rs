//! The bounds of what a registry is told.

use std::time::Duration;

use super::{RegistryBuilder, RegistryError};
use crate::fleet::Scope;

impl RegistryBuilder {
    pub(super) fn check(&self) -> Result<(), RegistryError> {
        let millis = Duration::from_millis;
        let minute = Duration::from_secs(60);
        if !(1..=1_000_000).contains(&self.max_services) {
            return Err(RegistryError::Option {
                option: "max_services",
                problem: format!("{} but must be from 1 to 1000000", self.max_services),
            });
        }
        let quorum = self.scopes.default.quorum().unwrap_or(1);
        if let Scope::Fleet { quorum } = self.scopes.default
            && !(1..=Scope::MOST).contains(&quorum)
        {
            return Err(RegistryError::Option {
                option: "scope",
                problem: format!("quorum {quorum} but must be from 1 to {}", Scope::MOST),
            });
        }
        for (option, needed) in [("scope", quorum > 1), ("share_windows", self.share_windows)] {
            if needed && self.fleet.is_none() {
                return Err(RegistryError::Option {
                    option,
                    problem: "needs a fleet_store, where the processes meet".to_owned(),
                });
            }
        }
        for (option, value, least, most) in [
            ("lease_term", self.options.lease_term, millis(100), 10 * minute),
            ("heartbeat", self.heartbeat, millis(100), 60 * minute),
            ("load_timeout", self.load_timeout, Duration::ZERO, minute),
            ("store_timeout", self.options.timeout, millis(10), minute),
            ("poll_interval", self.options.poll_interval, millis(10), 60 * minute),
            ("keyed_idle_timeout", self.options.keyed_idle, millis(1000), Duration::MAX),
        ] {
            if value < least || value > most {
                let most = match most {
                    Duration::MAX => String::new(),
                    most => format!(" and at most {}", humantime::format_duration(most)),
                };
                return Err(RegistryError::Option {
                    option,
                    problem: format!(
                        "{} but must be at least {}{most}",
                        humantime::format_duration(value),
                        humantime::format_duration(least),
                    ),
                });
            }
        }
        Ok(())
    }
}
