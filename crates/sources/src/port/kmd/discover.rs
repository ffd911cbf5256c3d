//! Finds the cores of an open device, and opens a reader of all of them.

use super::KmdPort;
use super::error::KmdPortError;
use crate::l1::{OpenError, Reader};
use crate::port::PortError;

/// The reason that the cores of an open device could not be found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoverError {
    /// The layout of L1 is not known, or a read failed.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A read failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The grid of the first core is impossible.
    #[error(transparent)]
    Grid(#[from] KmdPortError),
    /// The first core reports nothing plausible about itself.
    #[error("the first core does not report its coordinate: {detail}")]
    Silent {
        /// The inconsistency.
        detail: String,
    },
}

impl KmdPort {
    /// Reads the core at logical (0, 0), takes in the grid that it names, and opens a reader of every core in it.
    ///
    /// # Errors
    /// If the first core is not a worker core of TT-Metal, says that it is another one, or names a grid that cannot be.
    pub fn discover(&mut self) -> Result<Reader, DiscoverError> {
        let mut first = Reader::open(self)?;
        let (cores, _cost) = first.sample(self)?;
        let silent = |detail: &str| DiscoverError::Silent { detail: detail.to_owned() };
        let core = cores.first().ok_or_else(|| silent("it has no core_info"))?;
        let (Some(logical), Some(grid)) = (core.logical, core.grid) else {
            return Err(silent(core.detail.as_deref().unwrap_or("its core_info is not plausible")));
        };
        self.admit_grid(logical, grid)?;
        Ok(Reader::open(self)?)
    }
}
