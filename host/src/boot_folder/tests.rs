use edgepkg_boards::Board;

use super::*;

fn memory() -> Memory {
    Board::find("rpi").unwrap().memory.unwrap()
}

fn runner(filling: u8) -> Vec<u8> {
    let mut bytes = vec![filling; 5000];
    bytes[4..16].copy_from_slice(RUNNER_MARK.1);
    bytes
}

fn put(folder: &Path, runner: &[u8], artifact: &[u8]) -> Result<[WrittenFile; 3], BootFolderError> {
    write(folder, &BootFiles { runner, artifact, memory: &memory() })
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn writes_three_files_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let [kernel, model, config] = put(folder.path(), &runner(1), &[7; 320]).unwrap();
    assert_eq!(names(folder.path()), [CONFIG_FILE, KERNEL_FILE, MODEL_FILE]);
    assert_eq!([kernel.bytes, model.bytes], [5000, 336]);
    assert_eq!(fs::read(&kernel.path).unwrap(), runner(1));
    assert_eq!(fs::read(&model.path).unwrap(), slot_file(&[7; 320], 1));
    let text = fs::read_to_string(&config.path).unwrap();
    assert_eq!(
        text,
        "# >>> edgepkg: these lines are written by `edgepkg flash`\n[all]\narm_64bit=1\nkernel=kernel8.img\n\
         auto_initramfs=0\nkernel_address=0x00080000\ninitramfs model.epa 0x08000000\nenable_uart=1\ninit_uart_clock=48000000\n\
         dtoverlay=disable-bt\n# <<< edgepkg\n"
    );
}

#[test]
fn counts_the_models_and_replaces_its_own_kernel() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), &runner(1), &[7; 320]).unwrap();
    put(folder.path(), &runner(2), &[8; 640]).unwrap();
    assert_eq!(names(folder.path()), [CONFIG_FILE, KERNEL_FILE, MODEL_FILE]);
    assert_eq!(fs::read(folder.path().join(MODEL_FILE)).unwrap(), slot_file(&[8; 640], 2));
    assert_eq!(fs::read(folder.path().join(KERNEL_FILE)).unwrap(), runner(2));
}

#[test]
fn keeps_a_kernel_that_is_not_a_runner() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(KERNEL_FILE), b"Linux").unwrap();
    put(folder.path(), &runner(1), &[7; 320]).unwrap();
    assert_eq!(fs::read(folder.path().join(KEPT_KERNEL_FILE)).unwrap(), b"Linux");
    put(folder.path(), &runner(2), &[7; 320]).unwrap();
    assert_eq!(fs::read(folder.path().join(KEPT_KERNEL_FILE)).unwrap(), b"Linux");
}

#[test]
fn keeps_the_users_settings() {
    let ours = merged_config(b"", MODEL_FILE, &memory());
    let check = |existing: &[u8], expect: &[u8]| {
        let merged = merged_config(existing, MODEL_FILE, &memory());
        assert_eq!(String::from_utf8_lossy(&merged), String::from_utf8_lossy(expect));
        assert_eq!(merged_config(&merged, MODEL_FILE, &memory()), merged, "a second time changes nothing");
    };
    check(b"[pi4]\nfoo=1\n", &[b"[pi4]\nfoo=1\n", &*ours].concat());
    check(b"foo=1", &[b"foo=1\n", &*ours].concat());
    check(b"\xffoo=1\n", &[b"\xffoo=1\n", &*ours].concat());
    let old = merged_config(b"", "old.epa", &memory());
    check(&[b"foo=1\n", &*old, b"bar=2\n"].concat(), &[b"foo=1\n", &*ours, b"bar=2\n"].concat());
    let windows = String::from_utf8(ours.clone()).unwrap().replace('\n', "\r\n");
    check(b"foo=1\r\nbar=2", &[b"foo=1\r\nbar=2\r\n", windows.as_bytes()].concat());
    let half = ours.split_inclusive(|&byte| byte == b'\n').take(4).collect::<Vec<_>>().concat();
    let merged = merged_config(&[&half, &b"mine=1\n"[..]].concat(), MODEL_FILE, &memory());
    let again = merged_config(&merged, MODEL_FILE, &memory());
    assert!(
        again.windows(7).any(|line| line == b"mine=1\n"),
        "a mark without its partner takes no line along"
    );
}

#[test]
fn names_what_is_wrong_with_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nowhere");
    let message = put(&path, &runner(1), &[7; 16]).unwrap_err().to_string();
    assert_eq!(message, format!("there is no boot folder `{}`", path.display()));

    fs::write(&path, "").unwrap();
    let message = put(&path, &runner(1), &[7; 16]).unwrap_err().to_string();
    assert_eq!(message, format!("`{}` is not a folder", path.display()));

    let slot = Memory { model_slot: edgepkg_boards::Region { start: 0x0800_0000, length: 64 }, ..memory() };
    let files = BootFiles { runner: &runner(1), artifact: &[7; 64], memory: &slot };
    let message = write(folder.path(), &files).unwrap_err().to_string();
    assert_eq!(message, "the model of 64 bytes passes the board's model slot of 48");
}

#[test]
fn the_state_of_a_full_folder_is_told_in_bytes() {
    let error =
        BootFolderError::Full { folder: "boot".into(), needed_bytes: 181_234, available_bytes: Some(4096) };
    assert_eq!(
        error.to_string(),
        "the boot folder `boot` is full: 181234 bytes are needed to write kernel8.img, model.epa and \
         config.txt, 4096 bytes are free"
    );
}
