//! The table of providers. It can change while the server runs.

use std::sync::Arc;

use engram_core::ports::Ids;
use engram_domain::OrgId;
use parking_lot::RwLock;

use crate::{ProviderSettings, ProviderSpec, SetupError, provider::Provider};

/// The providers of the server and of its organizations, in the order in which their models are listed. Whoever found a
/// provider keeps it for as long as the call takes, whatever becomes of the table meanwhile.
pub(crate) struct Registry {
    pub(crate) settings: ProviderSettings,
    ids: Arc<dyn Ids>,
    table: RwLock<Vec<Arc<Provider>>>,
}

impl Registry {
    pub(crate) fn new(settings: ProviderSettings, ids: Arc<dyn Ids>) -> Self {
        Self { settings, ids, table: RwLock::default() }
    }

    /// Adds a provider, in place of the one of the same name and organization if there is one. True when there was.
    ///
    /// # Errors
    /// A provider that cannot work. The table stays as it was.
    pub(crate) fn set(&self, organization: Option<OrgId>, spec: ProviderSpec) -> Result<bool, SetupError> {
        let provider = Arc::new(Provider::new(spec, organization, &self.settings, &self.ids)?);
        let mut table = self.table.write();
        let place = table.iter().position(|p| p.organization == organization && p.name() == provider.name());
        match place {
            Some(place) => table[place] = provider,
            None => table.push(provider),
        }
        Ok(place.is_some())
    }

    /// Removes a provider. True when there was one.
    pub(crate) fn remove(&self, organization: Option<OrgId>, name: &str) -> bool {
        let mut table = self.table.write();
        let before = table.len();
        table.retain(|p| p.organization != organization || p.name() != name);
        table.len() < before
    }

    /// The provider that a name in a handle means now: the organization's own before the server's, a name before an alias.
    pub(crate) fn find(&self, organization: Option<OrgId>, name: &str) -> Option<Arc<Provider>> {
        let table = self.table.read();
        let of = |owner: Option<OrgId>| {
            let own = || table.iter().filter(move |p| p.organization == owner);
            own().find(|p| p.name() == name).or_else(|| own().find(|p| p.has_alias(name))).cloned()
        };
        organization.and_then(|id| of(Some(id))).or_else(|| of(None))
    }

    /// The providers that an organization may use: its own, and the server's that have no namesake among them.
    pub(crate) fn visible(&self, organization: Option<OrgId>) -> Vec<Arc<Provider>> {
        let table = self.table.read();
        let own = |p: &Provider| organization.is_some() && p.organization == organization;
        let hidden = |p: &Provider| table.iter().any(|other| own(other) && other.name() == p.name());
        table.iter().filter(|p| own(p) || (p.organization.is_none() && !hidden(p))).cloned().collect()
    }
}
