#include "actors/options.hpp"
#include "schemas/utf8.hpp"
#include <string>
#include <string_view>
#include <type_traits>

namespace edupulse {

namespace {

template <class T>
expected<void> within(std::string_view name, const T& value, const T& low, const T& high) {
  if (value >= low && value <= high)
    return {};
  auto text = [](const T& x) {
    if constexpr (std::is_arithmetic_v<T>)
      return std::to_string(x);
    else
      return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(x).count()) +
             " ms";
  };
  return fail(errc::invalid_option, "option `" + std::string(name) + "` is " + text(value) +
                                        ": give " + text(low) + " to " + text(high));
}

} // namespace

expected<void> check_options(const subscription_options& o) {
  using namespace std::chrono_literals;
  if (o.order == event_order::strict && o.concurrency != 1)
    return fail(errc::invalid_option, "`order = strict` is one line and `concurrency` is " +
                                          std::to_string(o.concurrency) +
                                          ": choose `order = keyed` or `concurrency = 1`");
  if (o.execution == execution_place::inlined && o.concurrency != 1)
    return fail(errc::invalid_option, "`execution = inlined` is the router's one thread: "
                                      "`concurrency` must be 1");
  if (o.group.size() > 255 || !is_utf8(o.group))
    return fail(errc::invalid_option, "`group` is " + std::to_string(o.group.size()) +
                                          " bytes: give at most 255 of UTF-8");
  const expected<void> all[] = {
      within<std::uint32_t>("concurrency", o.concurrency, 1, 1024),
      within<std::uint32_t>("window", o.window, 1, 65536),
      within<std::size_t>("backlog_events", o.backlog_events, 1, 1u << 24),
      within<std::size_t>("backlog_bytes", o.backlog_bytes, 1024, std::size_t{1} << 36),
      within<duration>("stall_after", o.stall_after, 1ms, 24h),
      within<duration>("retry.first", o.retry.first, 0ms, 24h),
      within<double>("retry.factor", o.retry.factor, 1.0, 100.0),
      within<duration>("retry.cap", o.retry.cap, 0ms, 24h),
      within<duration>("retry.give_up_after", o.retry.give_up_after, 0ms, 24h * 365),
      within<std::uint32_t>("retry.max_crashes", o.retry.max_crashes, 1, 1000000),
      within<duration>("time_limit", o.time_limit, 1ms, 24h * 365),
  };
  for (const auto& one : all)
    if (!one)
      return one;
  return {};
}

} // namespace edupulse
