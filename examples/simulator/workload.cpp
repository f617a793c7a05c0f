#include "workload.hpp"
#include "lesson.capnp.h"
#include "schemas/hash.hpp"
#include "schemas/payload_reader.hpp"
#include <algorithm>
#include <array>
#include <capnp/dynamic.h>
#include <charconv>

namespace edupulse::simulator {

namespace {

constexpr std::string_view place_name = "place"; ///< metadata: among all events, from 1 on
constexpr std::size_t skipped_max = 20;          ///< a file of another kind has a million bad lines

constexpr std::array subjects = {"Quantum Mechanics", "Irregular Verbs", "Photosynthesis",
                                 "Linear Algebra",    "The Silk Road",   "Supply and Demand",
                                 "Plate Tectonics",   "Fugue and Canon"};
constexpr std::array forms = {"A First Encounter", "Exercises", "Common Mistakes", "In Pictures",
                              "Before the Exam"};

const event_type* lesson_type(std::string_view name) {
  static const std::array known = {
      &event_traits<LessonPublished>::type(), &event_traits<LessonUpdated>::type(),
      &event_traits<LessonWithdrawn>::type(), &event_traits<StudentEnrolled>::type(),
      &event_traits<QuizSubmitted>::type()};
  for (const auto* one : known)
    if (one->name == name)
      return one;
  return nullptr;
}

} // namespace

std::uint64_t hash_of(capnp::AnyStruct::Reader payload) {
  const auto words = payload.canonicalize(); // wherever its parts lie
  const auto bytes = words.asBytes();
  return text_hash({reinterpret_cast<const char*>(bytes.begin()), bytes.size()});
}

bool is_poison(const envelope& event, std::uint64_t every) noexcept {
  const auto place = event.meta(place_name);
  std::uint64_t number = 0;
  std::from_chars(place.data(), place.data() + place.size(), number);
  return number > 0 && number % every == 0;
}

record note_of(const envelope& event, std::uint32_t attempt, std::uint64_t gap) {
  payload_reader reader(event);
  record made;
  made.id_high = high_half(event.id().value);
  made.id_low = low_half(event.id().value);
  made.key = text_hash(event.key());
  made.payload = hash_of(reader.payload().getAs<capnp::AnyStruct>());
  made.attempt = attempt;
  made.gap = gap;
  return made;
}

workload::workload(const plan& what, std::size_t node, std::uint64_t first, type_lookup more)
    : plan_(what), node_(node), more_(std::move(more)), interests_(what),
      place_(first * what.publishers + node) {
  if (what.input.empty())
    return;
  input_.open(what.input);
  std::string line;
  for (; line_ < place_ && std::getline(input_, line); ++line_) {
  }
}

bool workload::next(bool best_effort, record& into) {
  options_ = {};
  options_.level = best_effort ? delivery_level::best_effort : delivery_level::acknowledged;
  if (!plan_.input.empty()) {
    if (!next_line())
      return false;
    options_.subject = read_->subject;
    options_.key = read_->key;
    options_.meta = read_->meta;
    number(line_);
    key_ = read_->key;
    if (key_.empty() && read_->type->key_of != nullptr) // as the node does it
      key_ = read_->type->key_of(read_->message->getRoot<capnp::AnyPointer>().asReader());
  } else {
    const auto place = place_;
    place_ += plan_.publishers;
    number(place + 1);
    const auto dice = mix_bits(place ^ plan_.seed << 32);
    key_ = "lesson-" + std::to_string(dice % plan_.keys);
    teacher_ = "teacher-" + std::to_string(dice >> 32 & 63);
    title_ = std::string(subjects[dice % subjects.size()]) + ": " + forms[dice % forms.size()];
    body_ = title_ + ", edition " + std::to_string(place) +
            ". We go through it step by step, with examples from everyday life, and there is a "
            "quiz at the end. Bring pencil and paper.";
  }
  into.key = text_hash(key_);
  into.payload = payload_hash();
  into.wanted = interests_.in(type(), options_.subject);
  return true;
}

/// Who rejects each so-many-th event has to know which one it is.
void workload::number(std::uint64_t place) {
  if (std::any_of(plan_.handlers.begin(), plan_.handlers.end(),
                  [](const handler_plan& one) { return one.poison_every > 0; }))
    options_.meta.emplace_back(place_name, std::to_string(place));
}

/// The next line of this publisher's that is an event.
bool workload::next_line() {
  for (std::string line; std::getline(input_, line);) {
    const auto number = line_++;
    if (number % plan_.publishers != node_ || line.empty())
      continue;
    auto event = from_json(line, [&](std::string_view name) {
      const auto* lesson = lesson_type(name);
      return lesson != nullptr || !more_ ? lesson : more_(name);
    });
    if (event) {
      read_.emplace(std::move(*event));
      return true;
    }
    if (skipped_.size() < skipped_max)
      skipped_.push_back("line " + std::to_string(number + 1) + ": " + event.error().text);
    else if (skipped_.size() == skipped_max)
      skipped_.push_back("... and more lines that are no events");
  }
  return false;
}

std::uint64_t workload::payload_hash() const {
  if (read_)
    return hash_of(capnp::AnyStruct::Reader(read_->payload()));
  capnp::MallocMessageBuilder builder;
  fill(builder.getRoot<capnp::AnyPointer>());
  return hash_of(builder.getRoot<capnp::AnyStruct>().asReader());
}

const event_type& workload::type() const noexcept {
  return read_ ? *read_->type : event_traits<LessonPublished>::type();
}

void workload::fill(capnp::AnyPointer::Builder payload) const {
  if (read_) {
    payload.setAs<capnp::DynamicStruct>(read_->payload());
    return;
  }
  auto lesson = payload.initAs<LessonPublished>();
  lesson.setLessonId(key_);
  lesson.setTeacherId(teacher_);
  lesson.setTitle(title_);
  lesson.setBody(body_);
}

expected<receipt> workload::publish(node& at) const {
  return at.publish(
      type(), [&](capnp::AnyPointer::Builder payload) { fill(payload); }, options_);
}

} // namespace edupulse::simulator
