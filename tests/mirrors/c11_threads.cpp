// librdkafka begins its threads with the C library's thrd_create, of which ThreadSanitizer (gcc 12)
// does not know: it dies in the first of them. With that sanitizer these take the place of the C
// library's, by way of those that it does know.

#include <cstdint>
#include <memory>
#include <pthread.h>
#include <threads.h>

namespace {

struct beginning {
  thrd_start_t what;
  void* with;
};

void* begin(void* given) {
  const auto from = *std::unique_ptr<beginning>(static_cast<beginning*>(given));
  return reinterpret_cast<void*>(static_cast<std::intptr_t>(from.what(from.with)));
}

} // namespace

extern "C" int thrd_create(thrd_t* made, thrd_start_t what, void* with) {
  auto from = std::make_unique<beginning>(beginning{what, with});
  if (::pthread_create(made, nullptr, begin, from.get()) != 0)
    return thrd_error;
  static_cast<void>(from.release()); // the thread has it
  return thrd_success;
}

extern "C" int thrd_join(thrd_t which, int* result) {
  void* returned = nullptr;
  if (::pthread_join(which, &returned) != 0)
    return thrd_error;
  if (result != nullptr)
    *result = static_cast<int>(reinterpret_cast<std::intptr_t>(returned));
  return thrd_success;
}
