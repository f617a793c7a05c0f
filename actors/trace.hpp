#pragma once
// Inputs and effects as lines of text: what people read in the log and what tests compare. One
// event, message or decision a line; names instead of indices; times in milliseconds since `epoch`.

#include "actors/observer.hpp"
#include <string>

namespace edupulse {

/// Empty when there is nothing to say (a tick).
std::string trace_line(const input& what, const router& core, time_point epoch);
std::string trace_line(const effect& what, const router& core, time_point epoch);

/// Routine effects happen for every batch; decisions are worth a line in a log.
bool is_decision(const effect& what) noexcept;
/// Decisions that somebody should look at: something was given up, lost, or switched off.
bool is_alarming(const effect& what) noexcept;

} // namespace edupulse
