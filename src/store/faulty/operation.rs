//! What a store can be asked for.

macro_rules! operations {
    ($($operation:ident $name:literal),* $(,)?) => {
        /// A method of a store.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Operation {
            $(#[doc = concat!("`", $name, "`.")] $operation),*
        }

        impl Operation {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$operation),*];

            /// The name of the method.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$operation => $name),*
                }
            }
        }
    };
}

operations! {
    Load "load",
    LoadAll "load_all",
    CompareAndSwap "compare_and_swap",
    Remove "remove",
    ForgetTombstones "forget_tombstones",
    Watch "watch",
    Append "append",
    Events "events",
    UpsertMetrics "upsert_metrics",
    Metrics "metrics",
    UpsertPattern "upsert_pattern",
    Patterns "patterns",
    RaiseAlert "raise_alert",
    ResolveAlert "resolve_alert",
    AcknowledgeAlert "acknowledge_alert",
    Alerts "alerts",
    PutSilence "put_silence",
    Silences "silences",
    Prune "prune",
    Lease "lease",
    Renew "renew",
    Release "release",
    Publish "publish",
    Instances "instances",
    Retire "retire",
    ForgetInstances "forget_instances",
}
