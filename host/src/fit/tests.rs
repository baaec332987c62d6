use edgepkg_boards::{Board, Region};

use super::*;

fn certificate(code_bytes: u64, model_bytes: u64, arena_bytes: u64, stack_bytes: u64) -> Certificate {
    Certificate {
        flash: FlashUse { code_bytes, model_bytes, limit_bytes: None },
        ram: RamUse { arena_bytes, state_bytes: 0, static_bytes: 100, stack_bytes, limit_bytes: None },
        stack: None,
    }
}

fn memory() -> Memory {
    let memory = Board::find("qemu-cortex-m4").unwrap().memory.unwrap();
    Memory {
        code: Region { start: 0, length: 1000 },
        model_slot: Region { start: 4096, length: 4096 },
        ram: Region { start: 0x2000_0000, length: 3000 },
        stack_bytes: 1000,
        ..memory
    }
}

#[test]
fn takes_what_just_fits() {
    assert_eq!(certificate(1000, 4080, 1900, 1000).shortages(&memory()), []);
}

#[test]
fn says_of_everything_how_much_is_missing() {
    let shortages = certificate(1001, 4090, 2000, 1004).shortages(&memory());
    let messages: Vec<_> = shortages.iter().map(Shortage::to_string).collect();
    assert_eq!(
        messages,
        [
            "1 bytes of flash for the runner are missing (1001 needed, 1000 there)",
            "10 bytes of flash for the model are missing (4090 needed, 4080 there)",
            "100 bytes of RAM are missing (2100 needed, 2000 there)",
            "4 bytes of stack are missing (1004 needed, 1000 there)",
        ]
    );
}

#[test]
fn a_refusal_names_the_boards_that_would_do() {
    let error = FitError::TooLarge {
        board: "small".to_owned(),
        shortages: vec![Shortage { of: Resource::Ram, needed_bytes: 60_000, limit_bytes: 16_384 }],
        roomy_boards: vec!["host".to_owned(), "rpi".to_owned()],
    };
    assert_eq!(
        error.to_string(),
        "the model does not fit `small`: 43616 bytes of RAM are missing (60000 needed, 16384 there)"
    );
    assert_eq!(
        error.hint().unwrap(),
        "these boards have room for it: `host`, `rpi`; or choose a smaller model"
    );
}

#[test]
fn json_has_the_promised_fields() {
    let json = serde_json::to_value(certificate(1, 2, 3, 4)).unwrap();
    let expect = serde_json::json!({
        "flash": { "code_bytes": 1, "model_bytes": 2, "limit_bytes": null },
        "ram": { "arena_bytes": 3, "state_bytes": 0, "static_bytes": 100, "stack_bytes": 4, "limit_bytes": null },
    });
    assert_eq!(json, expect);
}
