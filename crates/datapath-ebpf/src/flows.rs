//! The table of connections: which row a connection has, and what is counted of it.
//!
//! Connections lie in a table that never evicts, as long as their tenant has room left; others lie
//! among the *crowd*, a smaller table that forgets the least recently used. See `flow::Room`.

use aya_ebpf::bindings::BPF_NOEXIST;
use contiv_datapath_abi::counter::{RuleCount, RuleKey};
use contiv_datapath_abi::flow::{Flow, FlowKey, Way};

use crate::atomic;
use crate::maps::{CROWD, FLOW_ROOM, FLOWS, FLOWS_TAKEN, RULE_COUNTS};

/// The row of a connection, wherever it lies.
#[inline(always)]
pub fn find(row: &FlowKey) -> Option<*mut Flow> {
    let flow = FLOWS.get_ptr_mut(row);
    if flow.is_some() {
        return flow;
    }
    let crowded = find_crowded(row);
    (!crowded.is_null()).then_some(crowded)
}

/// The row of a connection that lies among the crowd, where nobody looks whose tenant has never had
/// one there. Null for none, see `from_endpoint::sends`.
#[inline(never)]
pub fn find_crowded(row: &FlowKey) -> *mut Flow {
    match FLOWS_TAKEN.get(row.tenant) {
        Some(taken) if taken.crowded != 0 => {
            CROWD.get_ptr_mut(row).unwrap_or(core::ptr::null_mut())
        }
        _ => core::ptr::null_mut(),
    }
}

/// The direction of a packet whose key is the row's, or is not.
///
/// # Safety
/// It is a row's.
#[inline(always)]
pub unsafe fn way(flow: *mut Flow, turned: bool) -> *mut Way {
    // SAFETY: the caller's.
    unsafe {
        if (*flow).is_reply(turned) {
            &raw mut (*flow).reply
        } else {
            &raw mut (*flow).forward
        }
    }
}

/// Counts a packet: in its row, or at once for rules if the row may go at any time.
///
/// # Safety
/// Both are a row's.
#[inline(always)]
pub unsafe fn count(flow: *mut Flow, way: *mut Way, bytes: u32) {
    // SAFETY: the caller's; if the row has become another connection's, that one gets the packet.
    unsafe {
        if (*flow).flags & Flow::CROWDED == 0 {
            atomic::add(&raw mut (*way).packets, 1);
            atomic::add(&raw mut (*way).bytes, bytes as u64);
        } else {
            count_for_rules(&*flow, 1, bytes as u64, 0);
        }
    }
}

/// Counts packets for the rules of both sides.
#[inline(never)]
pub fn count_for_rules(flow: &Flow, packets: u64, bytes: u64, connections: u64) {
    let [a, b, c, d] = flow.rule_keys();
    add(a.rule, a.staged, packets, bytes, connections);
    add(b.rule, b.staged, packets, bytes, connections);
    add(c.rule, c.staged, packets, bytes, connections);
    add(d.rule, d.staged, packets, bytes, connections);
}

/// Counts a connection for the rules that decide about it, but for those that did `before`.
#[inline(never)]
pub fn count_connection(flow: &Flow, before: Option<&Flow>) {
    let [accepter, opener, staged_accepter, staged_opener] = flow.rule_keys();
    let (before, staged_before) = match before {
        Some(before) => (
            (before.opener_rule, before.accepter_rule),
            (before.staged_opener_rule, before.staged_accepter_rule),
        ),
        None => ((0, 0), (0, 0)),
    };
    for key in [accepter, opener] {
        if key.rule != before.0 && key.rule != before.1 {
            add(key.rule, key.staged, 0, 0, 1);
        }
    }
    for key in [staged_accepter, staged_opener] {
        if key.rule != staged_before.0 && key.rule != staged_before.1 {
            add(key.rule, key.staged, 0, 0, 1);
        }
    }
}

/// Adds to the counters of a rule; nothing where no rule was asked.
///
/// Numbers and no structure, for which callers would need room on the stack.
#[inline(never)]
fn add(rule: u32, staged: u32, packets: u64, bytes: u64, connections: u64) {
    if rule == 0 {
        return;
    }
    let key = RuleKey { rule, staged };
    if raise(&key, packets, bytes, connections) {
        return;
    }
    let first = RuleCount {
        packets,
        bytes,
        connections,
    };
    // Another processor may have been quicker; and no room is no count.
    if RULE_COUNTS
        .insert(&key, &first, BPF_NOEXIST as u64)
        .is_err()
    {
        raise(&key, packets, bytes, connections);
    }
}

/// Adds to the counters of a rule that has some.
#[inline(always)]
fn raise(key: &RuleKey, packets: u64, bytes: u64, connections: u64) -> bool {
    let Some(count) = RULE_COUNTS.get_ptr_mut(key) else {
        return false;
    };
    // SAFETY: the value is this processor's alone, and no program interrupts another one here.
    unsafe {
        (*count).packets += packets;
        (*count).bytes += bytes;
        (*count).connections += connections;
    }
    true
}

/// Counts what a row has counted for the rules that it was counted under, when others take over.
///
/// # Safety
/// It is a row, or was one a moment ago.
#[inline(always)]
pub unsafe fn settle_counts(flow: *const Flow) {
    // SAFETY: the caller's.
    let flow = unsafe { &*flow };
    if flow.flags & Flow::CROWDED != 0 {
        return;
    }
    let counted = flow.counted();
    if counted.packets != 0 {
        count_for_rules(flow, counted.packets, counted.bytes, 0);
    }
}

/// Gives a connection a row that it has none of yet.
#[inline(always)]
pub fn place(row: &FlowKey, flow: &mut Flow, answered: bool) -> bool {
    if take(row, flow, answered) {
        return true;
    }
    flow.flags |= Flow::CROWDED;
    // Counted at once, and not in the row.
    flow.forward.packets = 0;
    flow.forward.bytes = 0;
    if let Some(taken) = FLOWS_TAKEN.get_ptr_mut(row.tenant) {
        // SAFETY: entries of arrays stay.
        unsafe { atomic::add(&raw mut (*taken).crowded, 1) };
    }
    CROWD.insert(row, &*flow, 0).is_ok()
}

/// Takes a connection out of the crowd if its tenant has room for it.
///
/// # Safety
/// It is a row of the crowd's; `room` is this processor's.
#[inline(always)]
pub unsafe fn promote(row: &FlowKey, flow: *const Flow, room: &mut Flow) {
    // SAFETY: the caller's.
    unsafe { *room = *flow };
    room.flags &= !Flow::CROWDED;
    if take(row, room, true) {
        // What is left behind is never found, and forgotten at last.
        let _ = CROWD.remove(row);
    }
}

/// Writes a row of the tenant's share, if one is left.
#[inline(always)]
fn take(row: &FlowKey, flow: &Flow, answered: bool) -> bool {
    let (Some(taken), Some(room)) = (
        FLOWS_TAKEN.get_ptr_mut(row.tenant),
        FLOW_ROOM.get(row.tenant),
    ) else {
        return false;
    };
    // SAFETY: entries of arrays stay. Processors do not wait for each other, so that a tenant may
    // get a row more for each of them.
    unsafe {
        if !room.has_left(&*taken, answered) || FLOWS.insert(row, flow, BPF_NOEXIST as u64).is_err()
        {
            return false;
        }
        atomic::add(&raw mut (*taken).rows, 1);
    }
    true
}
