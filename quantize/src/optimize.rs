//! What a model is lowered for where one thing costs another.

/// What counts most where kernels of one operator differ in what they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Optimize {
    /// The fewest cycles.
    #[default]
    Speed,
    /// The smallest arena.
    Ram,
    /// The smallest model and the least code.
    Flash,
}

impl Optimize {
    /// Every choice, the default first.
    pub const ALL: [Self; 3] = [Self::Speed, Self::Ram, Self::Flash];

    /// What it is called on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Speed => "speed",
            Self::Ram => "ram",
            Self::Flash => "flash",
        }
    }

    /// The choice of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.name() == name)
    }
}
