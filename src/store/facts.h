/* facts.h - what conditions of earning rules may ask about a member: looked up only when some rule does. */
#ifndef MBR_STORE_FACTS_H
#define MBR_STORE_FACTS_H

#include "utils/jsonb.h"

#include "engine/work.h"
#include "store/load.h"

typedef struct MbrPerson {
    bool has_birthday;
    DateADT birthday;
    const char *source; /* NULL = not known */
    Datum tags;         /* text[] */
    Jsonb *attributes;
} MbrPerson;

/* Purchases posted before, on days up to that of the purchase at hand. */
typedef struct MbrPeriod {
    int64 orders;
    int64 basis;
} MbrPeriod;

typedef struct MbrHistory {
    bool bought; /* ever */
    DateADT last_day;
    MbrPeriod today;
    MbrPeriod month;
    MbrPeriod year; /* the last twelve months */
} MbrHistory;

extern MbrPerson mbr_facts_person(MbrSession *session, int64 member_id);
extern MbrHistory mbr_facts_history(MbrSession *session, const MbrConfig *config, const MbrWork *work);
/* Whether a purchase before had a line of that merchant, or of that category. */
extern bool
mbr_facts_bought_at(MbrSession *session, const MbrConfig *config, const MbrWork *work, int merchant_id);
extern bool mbr_facts_bought_category(MbrSession *session, const MbrConfig *config, const MbrWork *work,
                                      const char *category);

#endif
