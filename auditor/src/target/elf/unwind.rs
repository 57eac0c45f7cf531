//! Where functions begin, by what a C or C++ runtime needs to unwind the stack: it is there in stripped files, too.
//!
//! ```text
//! .eh_frame_hdr   (LSB core specification 5.0, 10.6.2)
//!   0  u8   version, 1
//!   1  u8   how the address of .eh_frame is written: 0x1b, i32 from here
//!   2  u8   how the count is written: 0x03, u32
//!   3  u8   how the table is written: 0x3b, i32 from the start of this section
//!   4  i32  where .eh_frame is
//!   8  u32  rows
//!  12       rows, by address: i32 where the function begins, i32 what describes it
//! ```
//! A function's cold part has a row of its own.

/// Before the rows.
const HEADER: usize = 12;
/// How linkers write it; nothing else has been seen.
const ENCODING: [u8; 4] = [1, 0x1b, 0x03, 0x3b];
const ROW: usize = 8;

/// Addresses as linked at which a function begins, rising. Empty where the section is not understood.
pub(super) fn starts(section: &[u8], address: u64) -> Vec<u64> {
    if section.get(..4) != Some(&ENCODING) {
        return Vec::new();
    }
    let number = |at: usize| Some(u32::from_le_bytes(section.get(at..at + 4)?.try_into().ok()?));
    let rows = section.get(HEADER..).unwrap_or_default().chunks_exact(ROW);
    let start = |row: &[u8]| {
        let distance = i32::from_le_bytes(row.first_chunk().copied()?);
        Some(address.wrapping_add_signed(distance.into()))
    };
    let mut starts: Vec<u64> = rows.take(number(8).unwrap_or(0) as usize).filter_map(start).collect();
    starts.sort_unstable();
    starts.dedup();
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(rows: &[(i32, i32)]) -> Vec<u8> {
        let mut bytes = ENCODING.to_vec();
        bytes.extend(0_i32.to_le_bytes());
        bytes.extend((rows.len() as u32).to_le_bytes());
        for (start, description) in rows {
            bytes.extend(start.to_le_bytes());
            bytes.extend(description.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn each_row_is_the_start_of_a_function_counted_from_the_section() {
        let bytes = section(&[(-0x1000, 0x20), (-0xf00, 0x40), (0x10, 0x60)]);
        assert_eq!(starts(&bytes, 0x5000), [0x4000, 0x4100, 0x5010]);
    }

    #[test]
    fn a_table_that_says_more_than_it_has_gives_what_it_has() {
        let mut bytes = section(&[(-0x1000, 0x20), (-0xf00, 0x40)]);
        bytes[8..12].fill(0xff);
        assert_eq!(starts(&bytes, 0x5000).len(), 2);
        bytes.truncate(25);
        assert_eq!(starts(&bytes, 0x5000).len(), 1);
        bytes[3] = 0x1b;
        assert!(starts(&bytes, 0x5000).is_empty());
        assert!(starts(&[], 0).is_empty());
    }
}
