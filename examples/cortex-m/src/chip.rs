//! The two peripherals of the LM3S6965 that this firmware uses, as far as it uses them. A product
//! takes a HAL of its chip instead.

use core::cell::RefCell;
use core::convert::Infallible;
use core::ptr::{read_volatile, write_volatile};
use critical_section::Mutex;
use embedded_io::{ErrorType, Read, ReadReady, Write};
use heapless::Deque;

/// The clock as it is after a reset in QEMU's model.
pub const CLOCK_HZ: u32 = 12_500_000;
const BAUD: u32 = 115_200;

/// A register.
#[derive(Clone, Copy)]
struct Register(usize);

impl Register {
    fn read(self) -> u32 {
        // SAFETY: every address below is a register of this chip, and reading it has no effect but
        // to take a received byte.
        unsafe { read_volatile(self.0 as *const u32) }
    }

    fn write(self, value: u32) {
        // SAFETY: every address below is a register of this chip, and none concerns memory.
        unsafe { write_volatile(self.0 as *mut u32, value) }
    }

    fn set(self, bits: u32) {
        self.write(self.read() | bits);
    }
}

/// Run-mode clock gates: UART0 is bit 0 and timer 0 bit 16 of the first, port A bit 0 of the second.
const RCGC1: Register = Register(0x400F_E104);
const RCGC2: Register = Register(0x400F_E108);
/// Port A: pins 0 and 1 are UART0's.
const GPIO_AFSEL: Register = Register(0x4000_4420);
const GPIO_DEN: Register = Register(0x4000_451C);

mod uart {
    use super::Register;

    pub(super) const DATA: Register = Register(0x4000_C000);
    pub(super) const FLAGS: Register = Register(0x4000_C018);
    pub(super) const BAUD_INTEGER: Register = Register(0x4000_C024);
    pub(super) const BAUD_FRACTION: Register = Register(0x4000_C028);
    pub(super) const LINE_CONTROL: Register = Register(0x4000_C02C);
    pub(super) const CONTROL: Register = Register(0x4000_C030);
    pub(super) const INTERRUPT_MASK: Register = Register(0x4000_C038);
    pub(super) const INTERRUPT_CLEAR: Register = Register(0x4000_C044);
    /// Bits of `FLAGS`.
    pub(super) const RECEIVE_EMPTY: u32 = 1 << 4;
    pub(super) const TRANSMIT_FULL: u32 = 1 << 5;
    /// Bits of the interrupt registers: a byte is there, or has been there for a while.
    pub(super) const RECEIVE: u32 = 1 << 4 | 1 << 6;
}

mod timer {
    use super::Register;

    pub(super) const CONFIG: Register = Register(0x4003_0000);
    pub(super) const MODE: Register = Register(0x4003_0004);
    pub(super) const CONTROL: Register = Register(0x4003_000C);
    pub(super) const INTERRUPT_MASK: Register = Register(0x4003_0018);
    pub(super) const INTERRUPT_CLEAR: Register = Register(0x4003_0024);
    pub(super) const LOAD: Register = Register(0x4003_0028);
}

/// Bytes received and not yet read: as many as come in a few milliseconds.
static RECEIVED: Mutex<RefCell<Deque<u8, 128>>> = Mutex::new(RefCell::new(Deque::new()));

/// UART0. Sends by waiting, receives by interrupt.
pub struct Uart(());

impl Uart {
    /// Starts it: 8 data bits, no parity. To be called once.
    pub fn start() -> Uart {
        RCGC1.set(1);
        RCGC2.set(1);
        GPIO_AFSEL.set(0b11);
        GPIO_DEN.set(0b11);
        // 64ths of a divisor of 16 clocks, rounded.
        let divisor = (CLOCK_HZ * 4 + BAUD / 2) / BAUD;
        uart::CONTROL.write(0);
        uart::BAUD_INTEGER.write(divisor >> 6);
        uart::BAUD_FRACTION.write(divisor & 63);
        uart::LINE_CONTROL.write(0b11 << 5 | 1 << 4);
        uart::INTERRUPT_MASK.write(uart::RECEIVE);
        uart::CONTROL.write(1 << 9 | 1 << 8 | 1);
        Uart(())
    }

    /// For the interrupt handler: takes what has come.
    pub fn interrupt() {
        uart::INTERRUPT_CLEAR.write(uart::RECEIVE);
        critical_section::with(|cs| {
            let mut received = RECEIVED.borrow_ref_mut(cs);
            while uart::FLAGS.read() & uart::RECEIVE_EMPTY == 0 {
                // A byte too many is lost, as on any serial line; the frame's check notices.
                let _ = received.push_back(uart::DATA.read() as u8);
            }
        });
    }
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl ReadReady for Uart {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(critical_section::with(|cs| !RECEIVED.borrow_ref(cs).is_empty()))
    }
}

impl Read for Uart {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Infallible> {
        while !buf.is_empty() && !self.read_ready()? {
            cortex_m::asm::wfe();
        }
        let next = || critical_section::with(|cs| RECEIVED.borrow_ref_mut(cs).pop_front());
        Ok(buf.iter_mut().zip(core::iter::from_fn(next)).map(|(into, byte)| *into = byte).count())
    }
}

impl Write for Uart {
    fn write(&mut self, buf: &[u8]) -> Result<usize, Infallible> {
        for byte in buf {
            while uart::FLAGS.read() & uart::TRANSMIT_FULL != 0 {}
            uart::DATA.write((*byte).into());
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// General-purpose timer 0.
pub struct Timer(());

impl Timer {
    /// Switches it on. To be called once.
    pub fn new() -> Timer {
        RCGC1.set(1 << 16);
        Timer(())
    }

    /// Interrupts every `clocks` clocks from now on.
    pub fn start(&self, clocks: u32) {
        timer::CONTROL.write(0);
        timer::CONFIG.write(0);
        timer::MODE.write(2);
        timer::LOAD.write(clocks);
        timer::INTERRUPT_MASK.write(1);
        timer::CONTROL.write(1);
    }

    /// For the interrupt handler.
    pub fn interrupt() {
        timer::INTERRUPT_CLEAR.write(1);
    }
}
