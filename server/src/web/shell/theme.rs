//! How the reader wants pages to look: as their system does, light or dark.

/// The cookie that holds the theme.
pub const THEME_COOKIE: &str = "theme";
/// The cookie that says `off` where single keys shall do nothing.
pub const KEYS_COOKIE: &str = "keys";

/// How the reader wants pages to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the reader's system does.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// The theme by its name; whatever else it is follows the system.
    pub fn named(name: &str) -> Self {
        match name {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }

    /// Its name in the cookie, in forms and in `data-theme`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// What a button says of it.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::System => "Theme: follow system",
            Self::Light => "Theme: light",
            Self::Dark => "Theme: dark",
        }
    }

    /// The theme that the button in the menu changes to.
    pub(super) const fn next(self) -> Self {
        match self {
            Self::System => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::System,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_button_goes_through_all_themes() {
        let mut theme = Theme::System;
        for expected in ["light", "dark", "system"] {
            theme = theme.next();
            assert_eq!(theme.name(), expected);
            assert_eq!(Theme::named(expected), theme);
        }
        assert_eq!(Theme::named("<script>"), Theme::System);
    }
}
