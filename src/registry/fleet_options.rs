//! How a registry takes part in a fleet.

use std::{future::Future, sync::Arc, time::Duration};

use super::RegistryBuilder;
use crate::{breaker::ServiceName, fleet::Scope};

impl RegistryBuilder {
    /// How far what circuits decide reaches. Default: all processes that share the store, as soon as
    /// one of them opens.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scopes.default = scope;
        self
    }

    /// The scope of particular circuits; `None` means that of [`scope`](Self::scope). It is asked
    /// often, has to answer the same each time, and must not use the registry.
    pub fn scope_for<F>(mut self, scope_for: F) -> Self
    where
        F: Fn(&str) -> Option<Scope> + Send + Sync + 'static,
    {
        self.scopes.own = Some(Arc::new(scope_for));
        self
    }

    /// How long a process has leave to probe, 100 ms to 10 min. Default 10 s.
    ///
    /// One process of a fleet probes at a time. It admits probes for half the term and renews it
    /// while they are under way; the others take over once they have seen the term pass. It has to
    /// be a few times what a write to the store takes, and is how long a fleet waits for a process
    /// that died while it probed.
    pub fn lease_term(mut self, term: Duration) -> Self {
        self.options.lease_term = term;
        self
    }

    /// Lets a probe of one's own decide whether a service is well again, in place of the calls of
    /// users: it is called by the process that holds the lease, up to
    /// [`permitted_calls_in_half_open`](crate::circuit::SettingsBuilder::permitted_calls_in_half_open)
    /// times, one after the other, as soon as the open time is over. It says whether the service
    /// answered as it should; one that panics, or takes longer than the lease's term, failed.
    ///
    /// Calls of users that come while it probes may take permitted places that it has not come to
    /// yet, and count as probes; others are rejected. In processes without a fleet
    /// ([`Scope::Instance`]), and while the store is down, calls of users probe.
    pub fn probe<F, Fut>(mut self, probe: F) -> Self
    where
        F: Fn(ServiceName) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = bool> + Send + 'static,
    {
        self.options.probe = Some(Arc::new(move |service| Box::pin(probe(service))));
        self
    }

    /// What this process is called in the [fleet store](Self::fleet_store), for people. Default:
    /// `pid` and its number.
    pub fn instance_name(mut self, name: impl Into<String>) -> Self {
        self.instance_name = Some(name.into());
        self
    }

    /// How often a process tells that it lives where there is a
    /// [fleet store](Self::fleet_store), 100 ms to 1 h: one small write. Default 5 s. It counts as
    /// gone when it was not heard of for three times as long.
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.heartbeat = interval;
        self
    }

    /// Adds up the windows of all processes, so that a service that each of them calls seldom opens
    /// although none of them has its
    /// [minimum](crate::circuit::SettingsBuilder::minimum_number_of_calls) of calls. Off by default.
    ///
    /// Each process writes what its windows hold, at most 256 of them and at most once a second,
    /// and reads those of the others while calls fail; without calls it writes nothing. What was
    /// told counts for three heartbeats.
    pub fn share_windows(mut self, share: bool) -> Self {
        self.share_windows = share;
        self
    }
}
