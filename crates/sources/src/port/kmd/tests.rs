use super::*;
use ttmem_root::Tree;

#[test]
fn a_captured_host_has_no_devices() {
    let root = Root::memory(Tree::new());
    let refused = KmdPort::open(&root, 0, Arch::Wormhole, Rules::default());
    assert_eq!(refused.unwrap_err(), KmdPortError::NotSystem);
}

#[test]
fn each_refusal_of_the_driver_says_what_to_do() {
    use rustix::io::Errno;
    let opened = |errno| KmdPortError::of_open("/dev/tenstorrent/3", 3, errno).to_string();
    assert!(opened(Errno::AGAIN).contains("held exclusively"));
    assert!(opened(Errno::NOENT).contains("no such device"));
    assert!(opened(Errno::ACCESS).contains("udev"));
    let called = |errno| KmdPortError::of_call("FREE_TLB", 3, errno).to_string();
    assert!(called(Errno::NOMEM).contains("no free window"));
    assert!(called(Errno::PERM).contains("not ours"));
    assert!(called(Errno::NODEV).contains("was reset"));
    assert!(called(Errno::BUSY).contains("busy"));
    assert!(called(Errno::INVAL).contains("FREE_TLB on device 3"));
}
