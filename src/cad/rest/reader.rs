//! Reads the CAD; can't change anything there.

use secrecy::ExposeSecret;
use subtle::ConstantTimeEq as _;

use super::super::key::Key;
use super::CadRest;
use super::budget::BudgetLeft;

/// The read requests of the CAD's API. Cheap to clone; budgets are shared with everything else created from the same [`CadRest`].
#[derive(Clone, Debug)]
pub struct CadReader(pub(super) CadRest);

impl CadReader {
    /// Whether this is the community's key, without regard to letter case. Takes the same time however similar a wrong one is.
    #[must_use]
    pub fn is_key(&self, typed: &str) -> bool {
        let same = Key::new(self.0.key.expose_secret()).zip(Key::new(typed)).map(|(ours, theirs)| ours.ct_eq(&theirs));
        same.is_some_and(bool::from)
    }

    /// The remaining budgets of those that were used, by name of the operation.
    #[must_use]
    pub fn budgets(&self) -> Vec<BudgetLeft> {
        self.0.budgets.left(tokio::time::Instant::now())
    }
}
