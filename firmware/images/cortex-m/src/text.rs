//! Text to the host, without the formatting of the standard library, which is larger than a model's runtime.

use edgepkg_runtime::server::Transport;

use crate::port::Port;

impl Port {
    /// Sends text.
    pub fn write_text(&mut self, text: &str) {
        self.write(text.as_bytes());
    }

    /// Sends a number in decimal.
    pub fn write_number(&mut self, number: i32) {
        if number < 0 {
            self.write(b"-");
        }
        let (mut rest, mut digits) = (number.unsigned_abs(), [0; 10]);
        let mut first = digits.len();
        while first == digits.len() || rest > 0 {
            first -= 1;
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        self.write(&digits[first..]);
    }

    /// Sends bytes in hexadecimal, two digits each.
    pub fn write_in_hexadecimal(&mut self, bytes: &[u8]) {
        for byte in bytes {
            for digit in [byte >> 4, byte & 15] {
                self.write(&[if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }]);
            }
        }
    }
}
