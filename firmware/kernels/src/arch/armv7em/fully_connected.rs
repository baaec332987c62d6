//! Fully connected layer, 8 output columns at a time.

use core::arch::naked_asm;
use core::cell::Cell;

use edgepkg_format::linked::Linked;
use edgepkg_format::plan::{Forms, PackedFullyConnected, PackedRounding};

use super::rescale::{rescale_lanes_fused, rescale_lanes_twice, rescale_twice};
use super::{clamp_in_place, first_byte};
use crate::view::View;

const BLOCK: usize = PackedFullyConnected::BLOCK_COLUMNS as usize;

/// A row of the output, from a row of the input.
#[repr(C)]
struct Row {
    /// The first block of the stream.
    stream: *const u32,
    /// The row of the input.
    input: *const i8,
    /// Inputs, in units of 4; not 0.
    units: usize,
    /// Blocks of columns; not 0.
    blocks: usize,
    /// Where the outputs go.
    output: *mut i8,
}

/// A loop over a row's blocks. Sums: r4, r6, r8, r10 of pairs of columns in lanes, r5, r7, r9, r11 of each pair's
/// first column. The inner loop does 2 units a turn and is entered in its middle where the last turn would
/// pass the end.
macro_rules! compute_row {
    ($name:ident, $rescale:ident) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(row: *const Row) {
            naked_asm!(
                with_dsp!(),
                "push {{r4-r11, lr}}",
                "sub sp, #20",
                "ldm r0, {{r3-r7}}",
                // sp: the output, blocks left, the input, its end, entry of the inner loop.
                "str r7, [sp]",
                "strd r6, r4, [sp, #4]",
                "add r9, r4, r5, lsl #2",
                "rsb r5, r5, #0",
                "and r5, r5, #3",
                "strd r9, r5, [sp, #12]",
                "1:",
                "ldr r2, [sp, #8]",
                "ldr r0, [sp, #16]",
                "ldm r3!, {{r4-r11}}",
                "tbb [pc, r0]",
                ".byte 2, 64, 126, 188",
                "2:",
                ".rept 4",
                "ldr r1, [r2], #4",
                "sxtb16 r0, r1",
                "sxtb16 r1, r1, ror #8",
                multiply_pair!("r0"),
                multiply_pair!("r1"),
                ".endr",
                "ldr r0, [sp, #12]",
                "cmp r2, r0",
                "bne.w 2b",
                $rescale!(("r4", "r5")),
                $rescale!(("r6", "r7")),
                $rescale!(("r8", "r9")),
                $rescale!(("r10", "r11")),
                "ldr r12, [sp]",
                "strb r5, [r12], #1",
                "strb r4, [r12], #1",
                "strb r7, [r12], #1",
                "strb r6, [r12], #1",
                "strb r9, [r12], #1",
                "strb r8, [r12], #1",
                "strb r11, [r12], #1",
                "strb r10, [r12], #1",
                "str r12, [sp]",
                "ldr r0, [sp, #4]",
                "subs r0, #1",
                "str r0, [sp, #4]",
                "bne.w 1b",
                "add sp, #20",
                "pop {{r4-r11, pc}}",
            )
        }
    };
}

/// Two inputs, a pair of 16-bit values, times their weights of 8 columns.
macro_rules! multiply_pair {
    ($inputs:literal) => {
        concat!(
            "ldrd r12, lr, [r3], #8\n",
            "smlad r4, r12, ",
            $inputs,
            ", r4\n",
            "smlad r6, lr, ",
            $inputs,
            ", r6\n",
            "sxtb16 r12, r12\n",
            "sxtb16 lr, lr\n",
            "smlad r5, r12, ",
            $inputs,
            ", r5\n",
            "smlad r7, lr, ",
            $inputs,
            ", r7\n",
            "ldrd r12, lr, [r3], #8\n",
            "smlad r8, r12, ",
            $inputs,
            ", r8\n",
            "smlad r10, lr, ",
            $inputs,
            ", r10\n",
            "sxtb16 r12, r12\n",
            "sxtb16 lr, lr\n",
            "smlad r9, r12, ",
            $inputs,
            ", r9\n",
            "smlad r11, lr, ",
            $inputs,
            ", r11\n",
        )
    };
}

compute_row!(compute_row_twice, rescale_lanes_twice);
compute_row!(compute_row_fused, rescale_lanes_fused);

/// # Safety
///
/// What `row` points at is as long as it says.
unsafe fn compute_row<L: Linked>(rounding: PackedRounding, row: &Row) {
    use PackedRounding::{Fused, Twice};
    // SAFETY: the caller's.
    unsafe {
        match rounding {
            Twice if const { L::FORMS.contain(Forms::of_fully_connected(Twice)) } => compute_row_twice(row),
            Fused if const { L::FORMS.contain(Forms::of_fully_connected(Fused)) } => compute_row_fused(row),
            _ => panic!("the form is not linked"),
        }
    }
}

/// `input`: `[rows, input_depth]`; `stream`: `op.stream_words()` words; `output`: `[rows, output_depth]`.
#[inline(never)]
pub fn packed_fully_connected_i8<L: Linked>(
    op: &PackedFullyConnected,
    input: View<'_>,
    stream: &[i8],
    output: &[Cell<i8>],
) {
    let depth = op.output_depth as usize;
    let (whole_blocks, rest) = (depth / BLOCK, depth % BLOCK);
    let rest_stream = stream.as_ptr().wrapping_add(whole_blocks * op.block_words() as usize * 4);
    for (index, outputs) in output.chunks_exact(depth).enumerate() {
        let mut row = Row {
            stream: stream.as_ptr().cast(),
            input: first_byte(input.run(index * op.input_depth as usize, op.input_depth as usize)),
            units: op.input_depth as usize / 4,
            blocks: whole_blocks,
            output: outputs.as_ptr().cast::<i8>().cast_mut(),
        };
        if whole_blocks != 0 {
            // SAFETY: `stream` holds the blocks, the input `units` words, the outputs 8 bytes a block.
            unsafe { compute_row::<L>(op.rounding, &row) };
        }
        if rest != 0 {
            let mut columns = [0i8; BLOCK];
            row.stream = rest_stream.cast();
            row.blocks = 1;
            row.output = columns.as_mut_ptr();
            // SAFETY: `stream` holds one more block, the input `units` words, the array 8 bytes.
            unsafe { compute_row::<L>(op.rounding, &row) };
            for (cell, column) in outputs[whole_blocks * BLOCK..].iter().zip(columns) {
                cell.set(column);
            }
        }
    }
    clamp_in_place(output, op.clamp);
}
