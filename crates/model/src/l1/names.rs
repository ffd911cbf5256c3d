//! The names of kernels, as Inspector wrote them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::core::{Core, Kernel};

/// The name and source path of a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelName {
    /// Name of the kernel, such as `cq_dispatch`.
    pub name: String,
    /// Source file, as the host that built the kernel named it; empty if not known.
    pub source: String,
}

impl KernelName {
    /// The folder of its operation in the path of its source: `matmul` of
    /// `ttnn/cpp/ttnn/operations/matmul/device/kernels/…`.
    #[must_use]
    pub(crate) fn operation(&self) -> Option<&str> {
        let (_, below) = self.source.split_once("/operations/")?;
        let (operation, _) = below.split_once("/device/")?;
        operation.rsplit('/').next().filter(|name| !name.is_empty())
    }

    /// True for the kernels of TT-Metal itself: dispatch and prefetch (`cq_…`) and fabric (`fabric_…`).
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.name.starts_with("cq_") || self.name.starts_with("fabric_")
    }
}

/// Names by kernel id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelNames {
    /// The names.
    #[serde(with = "crate::pairs")]
    pub by_id: BTreeMap<u16, KernelName>,
}

impl KernelNames {
    /// The name of a kernel.
    #[must_use]
    pub fn get(&self, id: u16) -> Option<&KernelName> {
        self.by_id.get(&id)
    }

    /// True if a kernel is TT-Metal's own; `None` if its name is not known.
    #[must_use]
    pub(crate) fn is_system(&self, kernel: &Kernel) -> Option<bool> {
        Some(self.get(kernel.number()?)?.is_system())
    }

    /// True if the program of a core is TT-Metal's own: one of its kernels is. `None` if no name is known.
    #[must_use]
    pub fn is_system_core(&self, core: &Core) -> Option<bool> {
        let kernels = &core.program.as_ref()?.kernels;
        let known: Vec<bool> = kernels.iter().filter_map(|kernel| self.is_system(kernel)).collect();
        (!known.is_empty()).then(|| known.contains(&true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_the_folder_of_its_kernels() {
        let kernel = |source: &str| KernelName { name: String::new(), source: source.to_owned() };
        let of = |path| kernel(path).operation().map(str::to_owned);
        let matmul = "ttnn/cpp/ttnn/operations/matmul/device/kernels/compute/bmm.cpp";
        assert_eq!(of(matmul).as_deref(), Some("matmul"));
        let add = "/a/ttnn/cpp/ttnn/operations/eltwise/binary_ng/device/kernels_ng/dataflow/r.cpp";
        assert_eq!(of(add).as_deref(), Some("binary_ng"));
        for source in ["", "kernel.cpp", "tt_metal/impl/dispatch/kernels/cq_prefetch.cpp"] {
            assert_eq!(of(source), None, "{source}");
        }
    }
}
