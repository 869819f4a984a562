//! What people do to the circuits of a registry, in all processes that share its store.

use super::{Registry, RegistryError};
use crate::{
    breaker::{Breaker, ServiceName},
    circuit::Override,
    fleet::{Attribution, Circuits},
    store::Extra,
};

/// Who does something, and why: recorded with it.
#[derive(Clone, Debug, Default)]
pub struct By {
    who: Option<String>,
    why: Option<String>,
}

impl By {
    /// Nobody who has a name.
    #[must_use]
    pub fn nobody() -> Self {
        Self::default()
    }

    /// A person or a program. What is over 1,024 bytes is cut off.
    #[must_use]
    pub fn who(who: impl Into<String>) -> Self {
        Self { who: Some(who.into()), why: None }
    }

    /// Why. What is over 1,024 bytes is cut off.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    fn attribution(self, over: Option<Override>) -> Attribution {
        Attribution { over, by: self.who, reason: self.why }
    }
}

impl Registry {
    /// Sets an override, here at once and in other processes as soon as they hear of it. It stays
    /// until it is lifted, over restarts too.
    ///
    /// # Errors
    ///
    /// If the name is not valid, or there are too many circuits.
    pub fn set_override(&self, service: &str, over: Override, by: By) -> Result<(), RegistryError> {
        let breaker = self.found(service)?;
        self.shared().dirty.attribute(breaker.service(), by.attribution(Some(over)));
        breaker.set_override(over);
        Ok(())
    }

    /// Lifts an override: the circuit is closed with an empty window, here and elsewhere.
    ///
    /// # Errors
    ///
    /// If the name is not valid, or there are too many circuits.
    pub fn lift_override(&self, service: &str, by: By) -> Result<(), RegistryError> {
        let breaker = self.found(service)?;
        self.shared().dirty.attribute(breaker.service(), by.attribution(None));
        breaker.lift_override();
        Ok(())
    }

    /// Closes a circuit whatever its state, here and elsewhere. An override stays in force.
    ///
    /// # Errors
    ///
    /// If the name is not valid, or there are too many circuits.
    pub fn reset(&self, service: &str) -> Result<(), RegistryError> {
        self.found(service)?.reset();
        Ok(())
    }

    /// The circuit of that name, named or keyed; a named one is made where there is neither.
    fn found(&self, service: &str) -> Result<Breaker, RegistryError> {
        let found = self.shared().circuits.find(&ServiceName::new(service)?);
        found.map_or_else(|| self.breaker(service), |found| Ok(found.breaker))
    }

    /// Changes settings of a circuit while it runs, here and elsewhere, over those that the code of
    /// each process has. They replace what was changed before; no changes at all leave those of the
    /// code. Fields and values are written as [`Settings`](crate::Settings) are serialised.
    ///
    /// ```
    /// # use tower_breaker::{Registry, registry::By};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let registry = Registry::builder().start().await?;
    /// let changes = serde_json::json!({ "failure_threshold": 3, "recovery_timeout": "90s" });
    /// let changes = changes.as_object().cloned().unwrap_or_default();
    /// registry.configure("payments", changes, By::who("ann"))?;
    /// assert_eq!(registry.breaker("payments")?.settings().failure_threshold(), Some(3));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the name is not valid, or the settings with these changes are not; nothing is changed.
    pub fn configure(&self, service: &str, changes: Extra, by: By) -> Result<(), RegistryError> {
        let breaker = self.found(service)?;
        let service: &ServiceName = breaker.service();
        let settings = self
            .shared()
            .circuits
            .changed_settings(service, &changes)
            .map_err(|problem| RegistryError::Field { service: service.clone(), problem })?;
        breaker.configure_shared(settings);
        self.shared().dirty.share_settings(service, changes, by.who);
        Ok(())
    }
}
