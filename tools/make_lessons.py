#!/usr/bin/env python3
"""Writes the sample of examples/search: the events of a school's catalogue, one a line.

    tools/make_lessons.py > examples/search/lessons.jsonl

The same output every time and on every machine: there is no randomness and no clock in it.
"""

import json
import pathlib
import sys

LESSONS_PER_TOPIC = 7
UPDATE_EVERY = 31    # lessons published between two that are updated
WITHDRAW_EVERY = 61  # and between two that are withdrawn
LATER = 97           # lessons between the publication and what becomes of it

TENANTS = ["riverside-school", "open-campus", "north-college", "evening-academy"]

TEACHERS = """amara.okafor lukas.brandt mei.tanaka sofia.ribeiro jonas.lindqvist priya.raman
tomasz.nowak claire.dubois hassan.elamin ingrid.solberg diego.fuentes ruth.abebe milan.horvat
aisha.khan peter.vandijk elena.petrova samuel.boateng yuki.mori nadia.haddad owen.price
lucia.moretti kwame.mensah freya.jensen ravi.iyer hannah.weiss marc.lefevre zeynep.arslan
ana.kovacs liam.byrne grace.muthoni viktor.orlov teresa.alves""".split()

# Title and first sentence. `{t}` is the topic.
FORMS = {
    "science": [
        ("{t}: A First Encounter", "We meet {t} through pictures, models and a few surprises."),
        ("{t} 101", "An introduction to {t} for everybody, with no knowledge assumed."),
        ("{t}: Problem Session", "We solve five problems on {t} together, from easy to hard."),
        ("{t}: Hands-On Hour", "A practical hour on {t}: try first, explain afterwards."),
        ("Common Mistakes in {t}", "Ten wrong answers on {t}, and what each of them teaches."),
        ("{t} in Everyday Life", "Where to find {t} in kitchens, pockets and streets."),
        ("{t}: Exam Revision", "A quick and complete review of {t} before the exam."),
        ("{t}: Advanced Class", "For those who know the basics of {t} and want the details."),
        ("The History of {t}", "Who found out what about {t}, and who did not believe it."),
        ("{t}: Questions and Answers", "A live hour: bring what you never understood about {t}."),
    ],
    "humanities": [
        ("{t}: An Introduction", "What everybody should know about {t}, in forty minutes."),
        ("{t}: Sources and Voices", "We read three short texts on {t} and compare them."),
        ("Debating {t}", "Two teams argue about {t}; the sides are drawn by lot."),
        ("{t} Today", "Why we still argue about {t}, with examples from this year."),
        ("{t}: Essay Workshop", "We plan an essay on {t} and write its first paragraph."),
        ("{t} in Ten Questions", "Ten questions about {t}, each with a surprising answer."),
        ("{t}: Seminar", "A small group discusses {t}; come having read the hand-out."),
        ("Teaching {t}", "For teachers: how to make {t} clear, and what to leave out."),
        ("{t}: Exam Revision", "The dates, names and arguments on {t} that exams ask for."),
    ],
    "language": [
        ("{t}: First Steps", "A gentle start with {t}; we speak from the first minute."),
        ("{t}: Conversation Hour", "An hour of talking in small groups, with {t} in mind."),
        ("{t}: Grammar Clinic", "Your sentences, repaired together, with a look at {t}."),
        ("{t} through Songs", "We listen to four songs and find {t} in each."),
        ("{t}: Reading Circle", "A short text, read aloud, shows {t} at work."),
        ("{t}: Listening Practice", "Six recordings from slow to fast, chosen for {t}."),
        ("{t}: Test Preparation", "What examiners ask about {t}, and how to answer calmly."),
        ("{t}: Writing Workshop", "We write a letter, a note and a story that need {t}."),
    ],
    "arts": [
        ("{t}: Taster Class", "Try {t} once; everything you need is there."),
        ("{t}: Workshop", "Three exercises in {t}, each built on the one before."),
        ("{t}: Masterclass", "Two participants show their work in {t}; everybody learns."),
        ("{t}: Looking and Listening", "We take one famous work apart and find {t} in it."),
        ("{t} for Families", "Parents and children discover {t} side by side."),
        ("{t}: Portfolio Review", "Bring what you made in {t} and leave with a next step."),
        ("A Short History of {t}", "Seven works tell the story of {t}."),
        ("{t}: Practice Plan", "Twenty minutes of {t} a day, and how to keep it up."),
    ],
}

CLOSINGS = [
    "Recorded, with subtitles.",
    "There is a quiz at the end.",
    "Bring paper and a pencil.",
    "For ages fourteen and up.",
    "A worksheet is included.",
    "Suitable for self-study.",
    "Places are limited to twelve.",
    "Taught live on Tuesdays.",
    "No preparation needed.",
    "Follow-up lessons are announced in class.",
    "",
]

REASONS = [
    "The teacher is on leave this term.",
    "Replaced by a newer lesson on the same topic.",
    "The recording has a fault and will be made again.",
    "Moved to the summer school.",
    "Too few students enrolled.",
]


def topics():
    """Yields (kind, topic, [three sentences]) in the order of the file."""
    kind = ""
    source = pathlib.Path(__file__).with_name("lesson_topics.txt")
    for line in source.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            kind = line.strip("[]").split(":")[1].strip()
        elif line and not line.startswith("#"):
            topic, *facts = [part.strip() for part in line.split("|")]
            yield kind, topic, facts


def in_sentence(topic):
    """The topic as it reads in the middle of a sentence."""
    return "the " + topic[4:] if topic.startswith("The ") else topic


def make_body(first, facts, number):
    parts = [first, facts[number % 3] + "."]
    if number % 2:
        parts.append(facts[(number + 1) % 3] + ".")
    closing = CLOSINGS[number % len(CLOSINGS)]
    return " ".join(parts + [closing] if closing else parts)


def lessons():
    """All lessons, subjects mixed as different teachers publish them: the n-th of every topic
    before the next of any, and topics in strides that are prime to their number."""
    listed = list(topics())
    stride = 55
    number = 0
    for turn in range(LESSONS_PER_TOPIC):
        for step in range(len(listed)):
            at = (step * stride + turn * 17) % len(listed)
            kind, topic, facts = listed[at]
            forms = FORMS[kind]
            title, first = forms[(at * 3 + turn) % len(forms)]
            number += 1
            yield {
                "lessonId": f"lesson-{number:04}",
                "teacherId": TEACHERS[(at * 5 + turn // 3) % len(TEACHERS)],
                "title": title.format(t=topic if title.startswith("{") else in_sentence(topic)),
                "body": make_body(first.format(t=in_sentence(topic)), facts, number + turn),
            }, facts


def tenant_of(lesson):
    return TENANTS[TEACHERS.index(lesson["teacherId"]) % len(TENANTS)]


def event(name, lesson, **fields):
    line = {"name": name, "meta": {"tenant": tenant_of(lesson)}}
    line.update(lessonId=lesson["lessonId"], teacherId=lesson["teacherId"], **fields)
    return line


def updated(lesson, facts, number):
    extra = facts[(number + 2) % 3]
    return event("lesson.updated", lesson, title=lesson["title"] + " (Revised)",
                 body=f"{lesson['body']} New in this edition: {extra[0].lower()}{extra[1:]}.")


def events():
    published = []
    for lesson, facts in lessons():
        published.append((lesson, facts))
        yield event("lesson.published", lesson, title=lesson["title"], body=lesson["body"])
        if len(published) <= LATER:
            continue
        number = len(published) - LATER
        then, its_facts = published[number]
        if number % WITHDRAW_EVERY == 0:
            yield event("lesson.withdrawn", then, reason=REASONS[number % len(REASONS)])
        elif number % UPDATE_EVERY == 0:
            yield updated(then, its_facts, number)


def main():
    out = sys.stdout.buffer
    for line in events():
        out.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")


if __name__ == "__main__":
    main()
