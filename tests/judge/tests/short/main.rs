//! The promise of every 2xx, and that the judge would notice if it were not kept.

#[cfg(test)]
mod broken_disk;
#[cfg(test)]
mod duplicates;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod instances;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod lies;
#[cfg(test)]
mod poison;
#[cfg(test)]
mod power;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod stop;
#[cfg(test)]
mod tampering;
