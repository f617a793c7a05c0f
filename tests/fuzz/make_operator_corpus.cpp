// Inputs that get far for operator_targets.cpp.

#include "lesson.capnp.h"
#include "schemas/control.capnp.h"
#include "tests/fuzz/make_corpus.hpp"
#include <capnp/message.h>
#include <capnp/serialize.h>
#include <edupulse/plugin.hpp>
#include <elf.h>
#include <string>
#include <string_view>
#include <vector>

namespace edupulse::fuzz {

namespace {

// -- plugins ------------------------------------------------------------------------------

constexpr plugin sample = plugin("sample", "1.0.0")
                              .about("A \"sample\"")
                              .setting("path", "a.db", "a text")
                              .setting("depth", 3, "a number")
                              .setting("rate", 0.5, "a number")
                              .setting("loud", true, "a flag")
                              .publishes<LessonWithdrawn>()
                              .handler<LessonPublished>("one", [](auto) {})
                              .handler<void>("two", [](const auto&) {}, {.filter = "lesson.>"});
constexpr auto sample_text = detail::manifest_text<detail::manifest_size(sample)>(sample);

template <class T> void append(std::string& to, const T& what) {
  to.append(reinterpret_cast<const char*>(&what), sizeof what);
}

/// As little of a shared library as has a manifest.
std::string image_of(std::string_view manifest) {
  static constexpr std::string_view names{"\0.shstrtab\0.edupulse.manifest\0", 30};
  Elf64_Ehdr header{};
  std::copy_n(ELFMAG, SELFMAG, header.e_ident);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_DYN;
#if defined(__aarch64__)
  header.e_machine = EM_AARCH64;
#else
  header.e_machine = EM_X86_64;
#endif
  header.e_phoff = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  const auto text_at = sizeof header + sizeof(Elf64_Phdr);
  header.e_shoff = text_at + manifest.size() + names.size();
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = 3;
  header.e_shstrndx = 1;
  Elf64_Phdr loaded{};
  loaded.p_type = PT_LOAD;
  loaded.p_filesz = text_at + manifest.size();
  Elf64_Shdr table{};
  table.sh_name = 1;
  table.sh_type = SHT_STRTAB;
  table.sh_offset = text_at + manifest.size();
  table.sh_size = names.size();
  Elf64_Shdr section{};
  section.sh_name = 11;
  section.sh_type = SHT_PROGBITS;
  section.sh_offset = text_at;
  section.sh_size = manifest.size();
  std::string all;
  append(all, header);
  append(all, loaded);
  all.append(manifest).append(names);
  append(all, Elf64_Shdr{});
  append(all, table);
  append(all, section);
  return all;
}

// -- requests -----------------------------------------------------------------------------

template <class F> void put_request(const std::filesystem::path& file, F fill) {
  capnp::MallocMessageBuilder message;
  fill(message.initRoot<control::Request>());
  const auto flat = capnp::messageToFlatArray(message);
  const auto bytes = flat.asChars();
  put(file, {bytes.begin(), bytes.size()});
}

template <class To> void put_setting(To to) {
  auto one = to.initSettings(1)[0];
  one.setName("path");
  one.setValue("/x y");
}

void write_requests(const std::filesystem::path& to) {
  put_request(to / "status", [](auto request) { request.setStatus(); });
  put_request(to / "pause", [](auto request) { request.setPause("indexer"); });
  put_request(to / "dead_list", [](auto request) {
    auto list = request.initDeadList();
    list.setSubscription("indexer");
    list.setLimit(10);
  });
  put_request(to / "dead_show", [](auto request) { request.setDeadShow(1); });
  put_request(to / "dead_retry", [](auto request) { request.initDeadRetry().setId(1); });
  put_request(to / "dead_discard",
              [](auto request) { request.initDeadDiscard().setSubscription("indexer"); });
  put_request(to / "crashes", [](auto request) { request.setPluginCrashes("search"); });
  put_request(to / "load", [](auto request) {
    auto load = request.initPluginLoad();
    load.setFile("/opt/a.so");
    put_setting(load);
  });
  put_request(to / "swap", [](auto request) {
    auto swap = request.initPluginSwap();
    swap.setName("search");
    swap.setFile("/opt/b.so");
    put_setting(swap);
  });
  put_request(to / "publish", [](auto request) {
    auto event = request.initPublish();
    event.setName("lesson.published");
    event.setFields(R"({"lessonId": "a", "title": "\u00e9", "unknown": [1, 2.5e3, null]})");
    event.setSubject("eu");
    event.setKey("k");
  });
}

} // namespace

void write_operator_corpus(const std::filesystem::path& to) {
  const std::string_view text(sample_text.data(), sample_text.size());
  put(to / "manifest" / "sample", text);
  put(to / "manifest" / "smallest", std::string_view(R"({"format":1,"name":"a","version":"1"})"));
  put(to / "plugin_image" / "sample", image_of(text));
  write_requests(to / "control_request");
}

} // namespace edupulse::fuzz
