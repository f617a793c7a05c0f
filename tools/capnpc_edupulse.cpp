// capnpc-edupulse: the Cap'n Proto compiler plugin that makes events visible to C++.
//
// Cap'n Proto's own C++ generator drops annotations, so nothing in its headers says that a struct
// is an event. This plugin reads the same request (`capnp compile -o capnpc-edupulse:DIR`, the
// request comes on standard input) and writes, for each FILE.capnp, a header FILE.capnp.h that
// includes the generated one (raw/FILE.capnp.h) and specializes edupulse::event_traits for each
// struct with `$Event.name`. It is also where the annotations are checked, so that a mistake in a
// schema is an error of the build with file, struct and field, and not of a node at run time.

#include "schemas/topic.hpp"

#include <capnp/schema.capnp.h>
#include <capnp/serialize.h>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace {

namespace schema = capnp::schema;
using node = schema::Node::Reader;
using field = schema::Field::Reader;
using annotations = capnp::List<schema::Annotation>::Reader;

// The ids in schemas/event.capnp and in Cap'n Proto's c++.capnp.
constexpr std::uint64_t event_name_id = 0x9bd1b1f3c3d5a0e7;
constexpr std::uint64_t event_key_id = 0xd7e0a4c58b1f92d3;
constexpr std::uint64_t event_level_id = 0xc8a94d17e2b05f36;
constexpr std::uint64_t event_version_id = 0xf2c6837be9a4150d;
constexpr std::uint64_t cxx_namespace_id = 0xb9c6f99ebf805f2c;
constexpr std::uint64_t cxx_name_id = 0xf264a779fef191ce;

// `Level` in schemas/event.capnp.
constexpr std::uint16_t level_acknowledged = 0;
constexpr std::uint16_t level_best_effort = 1;

constexpr std::uint16_t no_discriminant = schema::Field::NO_DISCRIMINANT;

/// A mistake in a schema, already with its place.
struct schema_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::optional<schema::Value::Reader> find(annotations list, std::uint64_t id) {
  for (auto annotation : list)
    if (annotation.getId() == id)
      return annotation.getValue();
  return std::nullopt;
}

std::string text_of(capnp::Text::Reader text) { return {text.begin(), text.size()}; }

std::string cxx_name(std::string name, annotations list) {
  if (auto renamed = find(list, cxx_name_id))
    return text_of(renamed->getText());
  return name;
}

/// lessonId -> getLessonId, as Cap'n Proto's C++ generator names it.
std::string getter_of(field what) {
  std::string name = cxx_name(text_of(what.getName()), what.getAnnotations());
  if (!name.empty() && name[0] >= 'a' && name[0] <= 'z')
    name[0] = static_cast<char>(name[0] - 'a' + 'A');
  return "get" + name;
}

/// One event, checked.
struct event {
  std::string cxx_type; // ::app::LessonPublished
  std::string name;
  std::uint16_t version;
  bool best_effort;
  std::string key_field; // empty: none
  std::string key_getter;
  bool key_is_text;
};

/// What one file of the request declares.
class file_scan {
public:
  file_scan(const std::map<std::uint64_t, node>& nodes, std::string file)
      : nodes_(nodes), file_(std::move(file)) {}

  std::vector<event> events(std::uint64_t file_id) {
    const node root = nodes_.at(file_id);
    std::string scope;
    if (auto space = find(root.getAnnotations(), cxx_namespace_id))
      scope = "::" + text_of(space->getText());
    nested_of(root, scope);
    return std::move(found_);
  }

private:
  void nested_of(node parent, const std::string& scope) {
    for (auto nested : parent.getNestedNodes()) {
      const auto child = nodes_.find(nested.getId());
      if (child == nodes_.end())
        continue;
      const std::string name =
          scope + "::" + cxx_name(text_of(nested.getName()), child->second.getAnnotations());
      if (child->second.isStruct())
        on_struct(child->second, name);
      nested_of(child->second, name);
    }
  }

  void on_struct(node what, const std::string& cxx_type) {
    const std::string where = cxx_type.substr(2);
    refuse_hidden_keys(what, where);
    const auto name = find(what.getAnnotations(), event_name_id);
    if (!name) {
      refuse_without_name(what, where);
      return;
    }
    if (what.getIsGeneric())
      fail(where, "is generic: an event must have one schema, so it cannot have parameters");
    event e{cxx_type, text_of(name->getText()), 1, false, {}, {}, false};
    check_name(e.name, where);
    if (auto version = find(what.getAnnotations(), event_version_id))
      e.version = version->getUint16();
    if (e.version == 0)
      fail(where, "$Event.version counts from 1");
    if (auto level = find(what.getAnnotations(), event_level_id)) {
      if (level->getEnum() > level_best_effort)
        fail(where, "$Event.level: this runtime knows `acknowledged` and `bestEffort`");
      e.best_effort = level->getEnum() != level_acknowledged;
    }
    find_key(what, where, e);
    found_.push_back(std::move(e));
  }

  void check_name(const std::string& name, const std::string& where) {
    if (auto ok = edupulse::check_topic(name); !ok)
      fail(where, "$Event.name: " + ok.error().text);
    if (name.front() == '$')
      fail(where, "$Event.name: \"" + name + "\": names that begin with \"$\" are the runtime's");
    const auto [other, fresh] = names_.emplace(name, where);
    if (!fresh)
      fail(where, "$Event.name: \"" + name + "\" is the name of " + other->second + " as well");
  }

  void refuse_without_name(node what, const std::string& where) {
    if (find(what.getAnnotations(), event_version_id))
      fail(where, "has $Event.version but no $Event.name");
    if (find(what.getAnnotations(), event_level_id))
      fail(where, "has $Event.level but no $Event.name");
    for (auto member : what.getStruct().getFields())
      if (find(member.getAnnotations(), event_key_id))
        fail(where, "has no $Event.name, so its $Event.key means nothing", member);
  }

  /// Keys inside groups would have to be read through unions that may hold something else.
  void refuse_hidden_keys(node what, const std::string& where) {
    for (auto member : what.getStruct().getFields()) {
      if (!member.isGroup())
        continue;
      const node group = nodes_.at(member.getGroup().getTypeId());
      for (auto inner : group.getStruct().getFields())
        if (find(inner.getAnnotations(), event_key_id))
          fail(where + "." + text_of(member.getName()),
               "$Event.key inside a group or union: the key must be a field of the struct itself",
               inner);
      refuse_hidden_keys(group, where + "." + text_of(member.getName()));
    }
  }

  void find_key(node what, const std::string& where, event& e) {
    for (auto member : what.getStruct().getFields()) {
      if (!find(member.getAnnotations(), event_key_id))
        continue;
      if (!e.key_field.empty())
        fail(where, "a second $Event.key: \"" + e.key_field + "\" is the key already", member);
      if (member.getDiscriminantValue() != no_discriminant)
        fail(where, "$Event.key inside a union: the key must always be there", member);
      if (member.isGroup())
        fail(where, "a group cannot be the key", member);
      e.key_is_text = member.getSlot().getType().isText();
      if (!e.key_is_text && !is_number(member.getSlot().getType()))
        fail(where, "a key is a Text, an integer or an enum", member);
      e.key_field = text_of(member.getName());
      e.key_getter = getter_of(member);
    }
  }

  static bool is_number(schema::Type::Reader type) {
    switch (type.which()) {
    case schema::Type::INT8:
    case schema::Type::INT16:
    case schema::Type::INT32:
    case schema::Type::INT64:
    case schema::Type::UINT8:
    case schema::Type::UINT16:
    case schema::Type::UINT32:
    case schema::Type::UINT64:
    case schema::Type::ENUM:
      return true;
    default:
      return false;
    }
  }

  [[noreturn]] void fail(const std::string& where, const std::string& why,
                         std::optional<field> member = std::nullopt) {
    std::string place = file_ + ": struct " + where;
    if (member)
      place += ", field " + text_of(member->getName());
    throw schema_error(place + ": " + why);
  }

  const std::map<std::uint64_t, node>& nodes_;
  std::string file_;
  std::map<std::string, std::string> names_; // name -> struct that has it
  std::vector<event> found_;
};

void write_traits(std::ostream& out, const event& e) {
  const std::string key_type = e.key_field.empty() ? "no_key"
                               : e.key_is_text     ? "text_key"
                                                   : "number_key";
  out << "\ntemplate <> struct event_traits<" << e.cxx_type << "> {\n"
      << "  static constexpr bool is_event = true;\n"
      << "  static constexpr std::string_view name = \"" << e.name << "\";\n"
      << "  static constexpr std::uint16_t version = " << e.version << ";\n"
      << "  static constexpr delivery_level level = delivery_level::"
      << (e.best_effort ? "best_effort" : "acknowledged") << ";\n"
      << "  static constexpr bool has_key = " << (e.key_field.empty() ? "false" : "true") << ";\n"
      << "  static " << key_type << " key(const " << e.cxx_type << "::Reader& event) {\n";
  if (e.key_field.empty())
    out << "    (void)event;\n    return {};\n";
  else if (e.key_is_text)
    out << "    const auto key = event." << e.key_getter << "();\n"
        << "    return {{key.begin(), key.size()}};\n";
  else
    out << "    return number_key(event." << e.key_getter << "());\n";
  out << "  }\n"
      << "  static const event_type& type() noexcept { return type_; }\n\n"
      << "private:\n"
      << "  static const event_type type_;\n"
      << "};\n\n"
      << "inline constexpr event_type event_traits<" << e.cxx_type << ">::type_{\n"
      << "    name, version, ::capnp::typeId<" << e.cxx_type << ">(), &struct_schema<" << e.cxx_type
      << ">,\n    \"" << e.key_field << "\", "
      << (e.key_field.empty() ? "nullptr" : "&key_of_payload<" + e.cxx_type + ">") << ", level};\n";
}

std::string header_for(const std::string& file, const std::vector<event>& events) {
  std::ostringstream out;
  out << "// Generated by capnpc-edupulse from " << file << ". Do not edit.\n"
      << "#pragma once\n\n"
      << "#include \"raw/" << file << ".h\"\n"
      << "#include \"schemas/event_traits.hpp\"\n\n"
      << "namespace edupulse {\n";
  for (const event& e : events)
    write_traits(out, e);
  out << "\n} // namespace edupulse\n";
  return out.str();
}

void write_file(const std::filesystem::path& path, const std::string& content) {
  if (path.has_parent_path())
    std::filesystem::create_directories(path.parent_path());
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << content;
  if (!out.flush())
    throw std::runtime_error(path.string() + ": cannot be written");
}

void run() {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = std::uint64_t{1} << 30; // the request comes from the compiler
  capnp::StreamFdMessageReader message(STDIN_FILENO, options);
  auto request = message.getRoot<schema::CodeGeneratorRequest>();

  std::map<std::uint64_t, node> nodes;
  for (auto item : request.getNodes())
    nodes.emplace(item.getId(), item);
  for (auto requested : request.getRequestedFiles()) {
    const std::string file = text_of(requested.getFilename());
    const auto events = file_scan(nodes, file).events(requested.getId());
    write_file(file + ".h", header_for(file, events));
  }
}

} // namespace

int main(int argc, char**) {
  if (argc != 1 || isatty(STDIN_FILENO)) {
    std::cerr << "capnpc-edupulse is run by the Cap'n Proto compiler:\n"
                 "  capnp compile -I IMPORTS -o capnpc-edupulse:DIR FILE.capnp\n";
    return 2;
  }
  try {
    run();
    return 0;
  } catch (const kj::Exception& e) {
    std::cerr << "capnpc-edupulse: " << e.getDescription().cStr() << '\n';
  } catch (const std::exception& e) {
    std::cerr << "capnpc-edupulse: " << e.what() << '\n';
  }
  return 1;
}
