//! The numbers: each release as what it changes in the one before.

use super::{Collector, Goroutine, Heap, Layout, ModuleData, Scavenger, Span, Statistics, SwissMapType};
use crate::target::go::Release;

pub(super) const GO_1_19: Layout = Layout {
    release: Release { major: 1, minor: 19 },
    module: ModuleData {
        size: 552,
        func_name_table: 8,
        pc_table: 80,
        pcln_table: 104,
        function_table: 128,
        min_pc: 160,
        max_pc: 168,
        text: 176,
        end_of_text: 184,
        pointer_free_data: 192,
        end_of_pointer_free_data: 200,
        data: 208,
        end_of_data: 216,
        zeroed: 224,
        end_of_zeroed: 232,
        pointer_free_zeroed: 240,
        end_of_pointer_free_zeroed: 248,
        types: 280,
        end_of_types: 288,
        read_only: 296,
        function_data: 304,
        next: 544,
    },
    span: Span {
        size: 144,
        start: 24,
        pages: 32,
        free_index: 48,
        elements: 56,
        counter_width: 8,
        alloc_bits: 72,
        mark_bits: 80,
        sweep_generation: 88,
        allocated: 96,
        class: 98,
        state: 99,
        element_size: 104,
        limit: 112,
        large_type: None,
    },
    heap: Heap {
        size: 92672,
        sweep_generation: 65848,
        all_spans: 65856,
        pages_in_use: 65880,
        arenas: 65936,
        spans_of_arena: 2097152,
        scavenger: None,
    },
    goroutine: Goroutine {
        size: 392,
        stack: 0,
        stack_guard: 16,
        thread: 48,
        stack_pointer: 56,
        program_counter: 64,
        frame_pointer: 104,
        syscall_stack_pointer: 112,
        syscall_program_counter: 120,
        status: 144,
        id: 152,
    },
    collector: Collector {
        size: 424,
        percent: 0,
        memory_limit: 8,
        goal: 104,
        live: 136,
        marked: 184,
        in_use: 304,
        released: 312,
        free: 320,
        total_allocated: 328,
        total_freed: 336,
        mapped_ready: 344,
    },
    statistics: Statistics {
        size: 13512,
        stacks_sys: 3544,
        pause_total: 3600,
        pauses: 3608,
        pause_ends: 5656,
        cycles: 7704,
    },
    swiss: None,
};

pub(super) const GO_1_21: Layout = Layout {
    release: Release { major: 1, minor: 21 },
    module: ModuleData {
        size: 592,
        types: 296,
        end_of_types: 304,
        read_only: 312,
        function_data: 320,
        next: 584,
        ..GO_1_19.module
    },
    span: Span {
        size: 168,
        sweep_generation: 96,
        allocated: 104,
        class: 106,
        state: 107,
        element_size: 112,
        limit: 120,
        ..GO_1_19.span
    },
    heap: Heap {
        size: 92792,
        sweep_generation: 65856,
        all_spans: 65864,
        pages_in_use: 65888,
        arenas: 65944,
        spans_of_arena: 1064960,
        scavenger: Some(Scavenger {
            chunks: 128,
            ranges: 65688,
            index: 65728,
            search: 65776,
            generation: 65800,
        }),
    },
    goroutine: Goroutine { size: 408, ..GO_1_19.goroutine },
    collector: Collector {
        size: 392,
        goal: 72,
        live: 104,
        marked: 152,
        in_use: 272,
        released: 280,
        free: 288,
        total_allocated: 296,
        total_freed: 304,
        mapped_ready: 312,
        ..GO_1_19.collector
    },
    statistics: Statistics { size: 9040, ..GO_1_19.statistics },
    ..GO_1_19
};

pub(super) const GO_1_22: Layout = Layout {
    release: Release { major: 1, minor: 22 },
    span: Span {
        size: 160,
        elements: 50,
        counter_width: 2,
        alloc_bits: 64,
        mark_bits: 72,
        sweep_generation: 88,
        allocated: 96,
        class: 98,
        state: 99,
        element_size: 104,
        limit: 112,
        large_type: Some(152),
        ..GO_1_21.span
    },
    heap: Heap { size: 92856, arenas: 66008, spans_of_arena: 0, ..GO_1_21.heap },
    goroutine: Goroutine { size: 424, ..GO_1_21.goroutine },
    statistics: Statistics { size: 7744, ..GO_1_21.statistics },
    ..GO_1_21
};

pub(super) const GO_1_23: Layout = Layout {
    release: Release { major: 1, minor: 23 },
    module: ModuleData { size: 584, next: 576, ..GO_1_22.module },
    heap: Heap { size: 92928, ..GO_1_22.heap },
    goroutine: Goroutine { size: 432, status: 152, id: 160, ..GO_1_22.goroutine },
    ..GO_1_22
};

pub(super) const GO_1_24: Layout = Layout {
    release: Release { major: 1, minor: 24 },
    heap: Heap { size: 93008, ..GO_1_23.heap },
    goroutine: Goroutine { size: 440, ..GO_1_23.goroutine },
    swiss: Some(SwissMapType {
        size: 112,
        group: 64,
        group_size: 80,
        flags: 104,
        indirect_key: 4,
        indirect_element: 8,
    }),
    ..GO_1_23
};

pub(super) const GO_1_25: Layout = Layout {
    release: Release { major: 1, minor: 25 },
    heap: Heap { size: 93320, ..GO_1_24.heap },
    goroutine: Goroutine {
        frame_pointer: 96,
        syscall_stack_pointer: 104,
        syscall_program_counter: 112,
        status: 144,
        id: 152,
        ..GO_1_24.goroutine
    },
    statistics: Statistics {
        size: 8264,
        stacks_sys: 3520,
        pause_total: 3576,
        pauses: 3584,
        pause_ends: 5632,
        cycles: 7680,
    },
    ..GO_1_24
};

pub(super) const GO_1_26: Layout = Layout {
    release: Release { major: 1, minor: 26 },
    module: ModuleData { size: 592, next: 584, ..GO_1_25.module },
    heap: Heap { size: 93464, ..GO_1_25.heap },
    goroutine: Goroutine { size: 456, ..GO_1_25.goroutine },
    statistics: Statistics { size: 10440, ..GO_1_25.statistics },
    ..GO_1_25
};

pub(super) const GO_1_27: Layout = Layout {
    release: Release { major: 1, minor: 27 },
    module: ModuleData {
        size: 568,
        end_of_types: 312,
        read_only: 336,
        function_data: 344,
        next: 560,
        ..GO_1_26.module
    },
    swiss: Some(SwissMapType {
        size: 136,
        group: 64,
        group_size: 80,
        flags: 128,
        indirect_key: 4,
        indirect_element: 8,
    }),
    ..GO_1_26
};
