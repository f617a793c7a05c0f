#pragma once
// How a plugin is written: handlers in a shared library that a node loads while it runs.
//
//   class indexer {
//   public:
//     explicit indexer(const edupulse::plugin_settings& settings) : path_(settings.text("path")) {}
//     void handle(LessonPublished::Reader lesson, edupulse::context& ctx);
//   };
//
//   EDUPULSE_PLUGIN(edupulse::plugin("search-indexer", "1.0.0")
//                       .about("Keeps the search index")
//                       .setting("path", "index.db", "the index's file")
//                       .publishes<LessonIndexed>()
//                       .handler<LessonPublished, indexer>("indexer", {.concurrency = 2}))
//
// One source file of the library has the macro, once, at the end and outside namespaces. Each
// handler becomes a subscription named PLUGIN.HANDLER (`search-indexer.indexer`), and all of them
// are one supervision scope named as the plugin. Build it with edupulse_add_plugin().
//
// A handler is a class as in <edupulse/handler.hpp>, constructed from the settings or from nothing;
// or a class derived from edupulse::handler, for events of any type, with a filter; or a lambda
// without captures. When a new version takes over, a class that has
//
//     std::string snapshot() const;             // at the end of the old one, on its own thread
//     void restore(std::string_view snapshot);  // before the first event of the new one
//
// hands its state over, each of its `concurrency` objects to the one with the same keys. Without
// them what it keeps is a cache. A plugin is trusted code: it is in the process, and can do all
// that the process can. It is never unloaded.

#include <concepts>
#include <edupulse/event.hpp>
#include <edupulse/plugin_description.hpp>
#include <edupulse/plugin_manifest.hpp>
#include <string>
#include <string_view>
#include <type_traits>

namespace edupulse {

/// What a node finds in a loaded plugin. The first member never moves.
struct plugin_entry {
  std::uint32_t abi;
  std::string_view fingerprint;
  const plugin* what;
};

namespace detail {

template <class H>
concept hands_over = requires(const H& from, H& to) {
  { from.snapshot() } -> std::convertible_to<std::string>;
  to.restore(std::string_view{});
};

template <class H> std::unique_ptr<H> make_object(const plugin_settings& settings) {
  if constexpr (std::constructible_from<H, const plugin_settings&>)
    return std::make_unique<H>(settings);
  else
    return std::make_unique<H>();
}

template <class T, class H> std::unique_ptr<handler> make_handler(const plugin_settings& settings) {
  if constexpr (std::derived_from<H, handler>)
    return make_object<H>(settings);
  else
    return std::make_unique<class_handler<T, H>>(make_object<H>(settings));
}

template <class T, class H, class Handler> auto& object_of(Handler& what) {
  if constexpr (std::derived_from<H, handler>)
    return static_cast<std::conditional_t<std::is_const_v<Handler>, const H&, H&>>(what);
  else
    return static_cast<std::conditional_t<std::is_const_v<Handler>, const class_handler<T, H>&,
                                          class_handler<T, H>&>>(what)
        .object();
}

} // namespace detail

template <class T, class H>
constexpr plugin& plugin::handler(std::string_view name, const plugin_handler_options& options) {
  static_assert(std::default_initializable<H> || std::constructible_from<H, const plugin_settings&>,
                "a plugin's handler is constructed from (const edupulse::plugin_settings&) or ()");
  plugin_handler one{.name = name, .options = options};
  if constexpr (std::is_void_v<T>) {
    static_assert(std::derived_from<H, edupulse::handler>,
                  "a handler of any event (`void`) is derived from edupulse::handler");
  } else {
    require_event<T>();
    one.event = event_traits<T>::name;
    one.type = &event_traits<T>::type;
  }
  one.blocks = detail::says_it_blocks<H>;
  one.make = &detail::make_handler<T, H>;
  if constexpr (detail::hands_over<H>) {
    one.snapshot = [](const edupulse::handler& from) -> std::string {
      return detail::object_of<T, H>(from).snapshot();
    };
    one.restore = [](edupulse::handler& to, std::string_view state) {
      detail::object_of<T, H>(to).restore(state);
    };
  }
  return add(one);
}

template <class T, class F>
constexpr plugin& plugin::handler(std::string_view name, F, const plugin_handler_options& options) {
  static_assert(std::is_empty_v<F> && std::default_initializable<F>,
                "a lambda that is a plugin's handler captures nothing: use a class");
  plugin_handler one{.name = name, .options = options};
  if constexpr (!std::is_void_v<T>) {
    require_event<T>();
    one.event = event_traits<T>::name;
    one.type = &event_traits<T>::type;
  }
  one.make = [](const plugin_settings&) -> std::unique_ptr<edupulse::handler> {
    return std::make_unique<detail::function_handler<T, F>>(F{});
  };
  return add(one);
}

} // namespace edupulse

// NOLINTBEGIN(cppcoreguidelines-macro-usage): a section and an exported symbol
/// Declares the plugin that this library is; see above.
#define EDUPULSE_PLUGIN(...)                                                                       \
  static constexpr ::edupulse::plugin edupulse_plugin_description = __VA_ARGS__;                   \
  [[gnu::section(".edupulse.manifest"),                                                            \
    gnu::used]] static constinit const auto edupulse_plugin_manifest =                             \
      ::edupulse::detail::manifest_text<::edupulse::detail::manifest_size(                         \
          edupulse_plugin_description)>(edupulse_plugin_description);                              \
  extern "C" [[gnu::visibility("default")]] const ::edupulse::plugin_entry*                        \
  edupulse_plugin() noexcept {                                                                     \
    static constexpr ::edupulse::plugin_entry entry{                                               \
        ::edupulse::plugin_abi, ::edupulse::plugin_fingerprint, &edupulse_plugin_description};     \
    return &entry;                                                                                 \
  }                                                                                                \
  static_assert(true)
// NOLINTEND
