import {
  ALARM_ANY,
  B_24H,
  B_DM,
  CENTURY,
  DAY_OF_MONTH,
  DAY_OF_WEEK,
  HOURS,
  HOURS_ALARM,
  MINUTES,
  MINUTES_ALARM,
  MONTH,
  REG_B,
  SECONDS,
  SECONDS_ALARM,
  YEAR,
} from './registers.ts';

const PM = 0x80;
const SECONDS_PER_DAY = 86400;

/** Writes a number in the form register B asks for. */
function encode(cmos: Uint8Array, value: number): number {
  return (cmos[REG_B]! & B_DM) !== 0 ? value : (Math.trunc(value / 10) << 4) | (value % 10);
}

/** Reads a number, or -1 for an alarm that matches everything. */
function decode(cmos: Uint8Array, value: number): number {
  if ((value & ALARM_ANY) === ALARM_ANY) return -1;
  return (cmos[REG_B]! & B_DM) !== 0 ? value : (value >> 4) * 10 + (value & 0xf);
}

/** Stores a time, given as seconds since 1970, in the time registers. */
export function storeTime(cmos: Uint8Array, seconds: number, baseYear: number): void {
  const date = new Date(seconds * 1000);
  cmos[SECONDS] = encode(cmos, date.getUTCSeconds());
  cmos[MINUTES] = encode(cmos, date.getUTCMinutes());
  const hour = date.getUTCHours();
  if ((cmos[REG_B]! & B_24H) !== 0) cmos[HOURS] = encode(cmos, hour);
  else cmos[HOURS] = encode(cmos, hour % 12 === 0 ? 12 : hour % 12) | (hour >= 12 ? PM : 0);
  cmos[DAY_OF_WEEK] = encode(cmos, date.getUTCDay() + 1);
  cmos[DAY_OF_MONTH] = encode(cmos, date.getUTCDate());
  cmos[MONTH] = encode(cmos, date.getUTCMonth() + 1);
  const year = date.getUTCFullYear() - baseYear;
  cmos[YEAR] = encode(cmos, year % 100);
  cmos[CENTURY] = encode(cmos, Math.trunc(year / 100));
}

/** The time registers as seconds since 1970. Impossible dates give the numbers QEMU's arithmetic gives. */
export function loadTime(cmos: Uint8Array, baseYear: number): number {
  let hour = decode(cmos, cmos[HOURS]! & 0x7f);
  if ((cmos[REG_B]! & B_24H) === 0) hour = (hour % 12) + ((cmos[HOURS]! & PM) !== 0 ? 12 : 0);
  const year = decode(cmos, cmos[YEAR]!) + baseYear + decode(cmos, cmos[CENTURY]!) * 100;
  const days = daysSinceEpoch(year, decode(cmos, cmos[MONTH]!), decode(cmos, cmos[DAY_OF_MONTH]!));
  return days * SECONDS_PER_DAY + hour * 3600 + decode(cmos, cmos[MINUTES]!) * 60 + decode(cmos, cmos[SECONDS]!);
}

/** Days from 1970-01-01, by the calendar that begins its year with March. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const m = month < 3 ? month + 12 : month;
  const y = month < 3 ? year - 1 : year;
  const leaps = Math.trunc(y / 4) - Math.trunc(y / 100) + Math.trunc(y / 400);
  return day + Math.trunc((153 * m - 457) / 5) + 365 * y + leaps - 719469;
}

/** 12-hour clocks take the afternoon bit of the hour register, also for the alarm: QEMU hw/rtc/mc146818rtc.c, v10.0. */
function hour24(cmos: Uint8Array, hour: number): number {
  if (hour === -1 || (cmos[REG_B]! & B_24H) !== 0) return hour;
  return (hour % 12) + ((cmos[HOURS]! & PM) !== 0 ? 12 : 0);
}

/** Seconds from the time in the registers to the next match of the alarm registers, 1-86400. */
export function secondsToAlarm(cmos: Uint8Array): number {
  const second = decode(cmos, cmos[SECONDS_ALARM]!);
  const minute = decode(cmos, cmos[MINUTES_ALARM]!);
  const hour = hour24(cmos, decode(cmos, cmos[HOURS_ALARM]!));
  const now =
    hour24(cmos, decode(cmos, cmos[HOURS]!)) * 3600 + decode(cmos, cmos[MINUTES]!) * 60 + decode(cmos, cmos[SECONDS]!);
  // The next match lies within the next day, or the registers hold no time of day and nothing matches.
  for (let ahead = 1; ahead <= SECONDS_PER_DAY; ) {
    const at = (now + ahead) % SECONDS_PER_DAY;
    const [h, m, s] = [Math.floor(at / 3600), Math.floor(at / 60) % 60, at % 60];
    if (hour !== -1 && h !== hour) ahead += 3600 - (at % 3600);
    else if (minute !== -1 && m !== minute) ahead += 60 - s;
    else if (second !== -1 && s !== second) ahead += 1;
    else return ahead;
  }
  return SECONDS_PER_DAY;
}
