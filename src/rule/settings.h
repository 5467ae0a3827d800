/*
 * settings.h - a condition means the same whatever its caller has set.
 *
 * The callers act as the programme's owner (store/session.h); an error undoes what is pinned.
 */
#ifndef MBR_RULE_SETTINGS_H
#define MBR_RULE_SETTINGS_H

/* For parsing and folding; returns what mbr_settings_unpin() takes. */
extern int mbr_settings_pin_compile(void);
/* For evaluation: mostly nothing. */
extern int mbr_settings_pin_evaluate(void);
extern void mbr_settings_unpin(int level);

#endif
