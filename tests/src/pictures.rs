//! Pictures for models whose own may not be passed on: shapes before a shaded ground, the same every time.

/// Rows, and columns, of a picture.
const EXTENT: usize = 96;

/// `count` pictures of `[96, 96, 3]` RGB in steps of 1/255 from 0 to 1.
pub fn pictures(count: usize, seed: u32) -> Vec<f32> {
    let mut random = Random(seed);
    (0..count).flat_map(|_| picture(&mut random)).collect()
}

/// A linear congruential generator.
struct Random(u32);

impl Random {
    /// In `[0, 1)`.
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / (1 << 24) as f32
    }

    fn colour(&mut self) -> [f32; 3] {
        std::array::from_fn(|_| self.next())
    }
}

fn picture(random: &mut Random) -> Vec<f32> {
    let (above, below) = (random.colour(), random.colour());
    let mut pixels = vec![[0.0; 3]; EXTENT * EXTENT];
    for (index, pixel) in pixels.iter_mut().enumerate() {
        let depth = (index / EXTENT) as f32 / (EXTENT - 1) as f32;
        *pixel = std::array::from_fn(|channel| above[channel] * (1.0 - depth) + below[channel] * depth);
    }
    for _ in 0..3 + (random.next() * 9.0) as usize {
        draw_shape(&mut pixels, random);
    }
    let noise = 0.15 * random.next();
    pixels
        .as_flattened()
        .iter()
        .map(|value| ((value + (random.next() - 0.5) * noise).clamp(0.0, 1.0) * 255.0).round() / 255.0)
        .collect()
}

/// An ellipse or a box.
fn draw_shape(pixels: &mut [[f32; 3]], random: &mut Random) {
    let centre = [random.next() * EXTENT as f32, random.next() * EXTENT as f32];
    let radius = [3.0 + random.next() * 30.0, 3.0 + random.next() * 40.0];
    let colour = random.colour();
    let is_round = random.next() < 0.5;
    for (index, pixel) in pixels.iter_mut().enumerate() {
        let [y, x]: [f32; 2] = std::array::from_fn(|axis| {
            let at = [index / EXTENT, index % EXTENT][axis] as f32;
            (at - centre[axis]) / radius[axis]
        });
        if if is_round { x * x + y * y < 1.0 } else { x.abs() < 1.0 && y.abs() < 1.0 } {
            *pixel = colour;
        }
    }
}
