//! The themes. To add one, write its file and name it here; docs/themes.md says how.

mod cobalt;
mod dusk;
mod ink;
mod mint;
mod mono;
mod paper;

use super::theme::Theme;

/// In the order they are offered.
pub(super) static THEMES: &[&Theme] =
    &[&ink::THEME, &paper::THEME, &dusk::THEME, &mint::THEME, &mono::THEME, &cobalt::THEME];
