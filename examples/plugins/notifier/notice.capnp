@0xa4c9f27b81d6e035;
# What the notifier publishes. Who sends it, by mail or to a telephone, subscribes to it.

using Event = import "/edupulse/event.capnp";

struct NoticeWanted $Event.name("notice.wanted") {
  teacherId @0 :Text $Event.key;
  # Whose followers are told. They hear of one teacher's lessons in order.

  text @1 :Text;
}
