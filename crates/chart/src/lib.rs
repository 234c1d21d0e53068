//! Draws charts: numbers in, a PNG out that can be read on Discord's dark background.
//!
//! Writes SVG text, which resvg renders with the embedded fonts. Never reads the clock, the disk or the network, never decides what is
//! counted. Names come from strangers: they are escaped and cut by measured width, and missing characters are shown as a box.
//!
//! ```text
//! Chart ─ svg ─▶ text ─ picture ─▶ PNG          Painter: one at a time, off the async threads
//!          └ font: how wide is it, is it there?
//! ```

mod bars;
mod columns;
mod font;
mod paper;
mod scale;
#[cfg(test)]
mod tests;

use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::{Database, Source};
use resvg::usvg::{Options, Tree};
use tokio::sync::Semaphore;

pub use bars::{Bars, MAX_ROWS, Row};
pub use columns::{Columns, MAX_CATEGORIES, Series};
pub use scale::{Measure, count, count_of, duration};

/// Width of every chart (pixels).
pub const WIDTH: u32 = 1_200;
/// Maximum height of a chart (pixels).
pub const MAX_HEIGHT: u32 = 1_600;
/// Largest PNG (bytes): what every guild on Discord accepts.
pub const MAX_PNG_BYTES: usize = 8 * 1024 * 1024;

/// What is to be drawn.
#[derive(Clone, Debug)]
pub enum Chart {
    /// One horizontal bar per row.
    Bars(Bars),
    /// Vertical bars by category, one or two series.
    Columns(Columns),
}

/// The heading of a chart.
#[derive(Clone, Debug, Default)]
pub struct Heading {
    /// What it shows.
    pub title: String,
    /// The time it covers, and in which time zone.
    pub subtitle: String,
}

/// Why there is no picture. Never a person's fault.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// Our SVG is invalid.
    #[error("the chart's SVG cannot be read")]
    Svg(#[from] Box<resvg::usvg::Error>),
    /// Larger than we allow ourselves.
    #[error("the chart would be too large")]
    TooLarge,
    /// Encoding the PNG failed.
    #[error("the chart's PNG cannot be written: {0}")]
    Png(String),
    /// The runtime is shutting down.
    #[error("there was no thread to draw the chart")]
    NoThread,
}

/// Draws charts as SVG text.
#[must_use]
pub fn svg(chart: &Chart) -> String {
    match chart {
        Chart::Bars(bars) => bars.svg(),
        Chart::Columns(columns) => columns.svg(),
    }
}

static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    for bytes in font::FILES {
        fonts.load_font_source(Source::Binary(Arc::new(bytes)));
    }
    fonts.set_sans_serif_family(font::FAMILY);
    Arc::new(fonts)
});

/// Makes a PNG of SVG text. Takes tens of milliseconds: see [`Painter`].
///
/// # Errors
/// [`ChartError`].
pub fn picture(svg: &str) -> Result<Vec<u8>, ChartError> {
    let options = Options { fontdb: Arc::clone(&FONTS), font_family: font::FAMILY.to_owned(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(Box::new)?;
    let size = tree.size().to_int_size();
    if size.width() > WIDTH || size.height() > MAX_HEIGHT {
        return Err(ChartError::TooLarge);
    }
    let mut pixels = Pixmap::new(size.width(), size.height()).ok_or(ChartError::TooLarge)?;
    resvg::render(&tree, Transform::identity(), &mut pixels.as_mut());
    let png = pixels.encode_png().map_err(|error| ChartError::Png(error.to_string()))?;
    if png.len() > MAX_PNG_BYTES { Err(ChartError::TooLarge) } else { Ok(png) }
}

/// Draws one chart at a time, off the threads that serve everything else. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Painter(Arc<Semaphore>);

impl Default for Painter {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Painter {
    /// The chart as PNG.
    ///
    /// # Errors
    /// [`ChartError`].
    pub async fn paint(&self, chart: Chart) -> Result<Vec<u8>, ChartError> {
        let turn = Arc::clone(&self.0).acquire_owned().await.map_err(|_| ChartError::NoThread)?;
        tokio::task::spawn_blocking(move || {
            // Held until the work is done, even if the caller is gone.
            let _turn = turn;
            picture(&svg(&chart))
        })
        .await
        .map_err(|_| ChartError::NoThread)?
    }
}
