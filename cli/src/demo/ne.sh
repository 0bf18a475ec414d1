#!/bin/sh
# The command line of the demo's simulated network element. What it shows are the files in sensors/, one value each;
# what it resets is written there, so the agent on this host sees it as it would see a real fan come back.
# POSIX sh; it needs nothing but cat, sed, sort, tail, date and mv.

set -u
LC_ALL=C
export LC_ALL
base=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
sensors=$base/sensors
log=$base/logs/ne.log

usage() {
    cat <<'END'
ne - command line of this (simulated) network element / 模拟网元命令行

  ne show version        product, software, serial number      版本
  ne show alarm          active alarms                         当前告警
  ne show card           cards in their slots                  板卡
  ne show temperature    temperature of each board             温度
  ne show fan            speed of each fan                     风扇
  ne show port           optical power of each port            光口
  ne show log            log partition and the latest lines    日志
  ne reset fan-2         reset a fan's controller              复位风扇
  ne reset port-1        reset an optical port                 复位端口
  ne clean log           remove old logs                       清理日志
END
}

fail() {
    printf 'ne: %s\n' "$*" >&2
    exit 2
}

# value NAME: the sensor's value, or 0 if it can't be read
value() {
    if ! v=$(cat "$sensors/$1" 2>/dev/null); then v=0; fi
    printf '%s' "${v:-0}"
}

# below A B, above A B: compares whole parts; sensors' limits are whole numbers
below() { [ "${1%%.*}" -lt "$2" ] 2>/dev/null; }
above() { [ "${1%%.*}" -gt "$2" ] 2>/dev/null; }

# put NAME VALUE: replaces a value in one step, so that nobody reads half of it
put() {
    { printf '%s\n' "$2" >"$sensors/.$1.$$" && mv -f "$sensors/.$1.$$" "$sensors/$1"; } 2>/dev/null ||
        fail "can't write $1: permission denied"
}

now() { date -u +%Y-%m-%dT%H:%M:%SZ; }

note() { { printf '%s %s\n' "$(now)" "$*" >>"$log"; } 2>/dev/null; }

# names SUFFIX: fan-1 fan-2 ... of all sensors with that suffix
names() {
    for f in "$sensors"/*."$1"; do
        [ -e "$f" ] || continue
        f=${f##*/}
        printf '%s\n' "${f%."$1"}"
    done | sort
}

fan_state() {
    if below "$1" 1000; then printf 'STOPPED 停转'
    elif below "$1" 2000; then printf 'SLOW 低速'
    else printf 'normal 正常'; fi
}

board_state() {
    if above "$1" 74; then printf 'HOT 过热'
    elif above "$1" 64; then printf 'warm 偏高'
    else printf 'normal 正常'; fi
}

port_state() {
    if below "$1" -29; then printf 'LOS 无光'
    elif below "$1" -19; then printf 'weak 弱光'
    else printf 'up 正常'; fi
}

show_version() {
    cat "$base/etc/version" || exit 1
    if read -r up _ 2>/dev/null </proc/uptime; then
        up=${up%%.*}
        printf 'Uptime     %d d %02d:%02d\n' $((up / 86400)) $((up % 86400 / 3600)) $((up % 3600 / 60))
    fi
}

show_fan() {
    printf '%-8s %10s  %s\n' Fan Speed/rpm State
    names speed_rpm | while read -r fan; do
        v=$(value "$fan.speed_rpm")
        printf '%-8s %10s  %s\n' "$fan" "$v" "$(fan_state "$v")"
    done
}

show_temperature() {
    printf '%-8s %10s  %s\n' Board Celsius State
    names temperature_celsius | while read -r board; do
        v=$(value "$board.temperature_celsius")
        printf '%-8s %10s  %s\n' "$board" "$v" "$(board_state "$v")"
    done
}

show_port() {
    printf '%-8s %10s %10s  %s\n' Port Rx/dBm Tx/dBm State
    names rx_power_dbm | while read -r port; do
        rx=$(value "$port.rx_power_dbm")
        printf '%-8s %10s %10s  %s\n' "$port" "$rx" "$(value "$port.tx_power_dbm")" "$(port_state "$rx")"
    done
}

show_card() {
    printf '%-5s %-8s %-10s %9s  %s\n' Slot Name Type Celsius State
    while read -r slot name type; do
        t=$(value "$name.temperature_celsius")
        printf '%-5s %-8s %-10s %9s  %s\n' "$slot" "$name" "$type" "$t" "$(board_state "$t")"
    done <"$base/etc/cards"
}

alarms() {
    names speed_rpm | while read -r n; do
        v=$(value "$n.speed_rpm")
        if below "$v" 1000; then printf '%-9s %-18s %-8s %s\n' major fan.speed "$n" "$v rpm, fan stopped / 风扇停转"; fi
    done
    names rx_power_dbm | while read -r n; do
        v=$(value "$n.rx_power_dbm")
        if below "$v" -29; then printf '%-9s %-18s %-8s %s\n' critical port.los "$n" "$v dBm, loss of signal / 光信号丢失"; fi
    done
    names used_percent | while read -r n; do
        v=$(value "$n.used_percent")
        if above "$v" 89; then printf '%-9s %-18s %-8s %s\n' major log.full "$n" "$v % used, partition nearly full / 分区将满"; fi
    done
    names temperature_celsius | while read -r n; do
        v=$(value "$n.temperature_celsius")
        if above "$v" 74; then printf '%-9s %-18s %-8s %s\n' warning board.temperature "$n" "$v °C, board too hot / 板卡温度高"; fi
    done
}

show_alarm() {
    list=$(alarms)
    if [ -z "$list" ]; then
        printf 'No active alarms / 无当前告警\n'
    else
        printf '%-9s %-18s %-8s %s\n' Severity Type Object Text
        printf '%s\n' "$list"
    fi
}

show_log() {
    printf 'Log partition / 日志分区: %s %% used\n' "$(value log.used_percent)"
    tail -n 12 "$log" 2>/dev/null
}

reset_fan() {
    [ -e "$sensors/$1.speed_rpm" ] || fail "there is no $1 here; \`ne show fan\` lists the fans"
    put "$1.speed_rpm" 4180
    # Its fan cools this board.
    if above "$(value board-3.temperature_celsius)" 64; then put board-3.temperature_celsius 46.5; fi
    note "$1: controller reset, speed 4180 rpm"
    printf '%s: controller reset, now %s rpm / 风扇已复位\n' "$1" "$(value "$1.speed_rpm")"
}

reset_port() {
    [ -e "$sensors/$1.rx_power_dbm" ] || fail "there is no $1 here; \`ne show port\` lists the ports"
    put "$1.rx_power_dbm" -8.1
    note "$1: reset, receiving -8.1 dBm"
    printf '%s: reset, now receiving %s dBm / 端口已复位\n' "$1" "$(value "$1.rx_power_dbm")"
}

clean_log() {
    was=$(value log.used_percent)
    put log.used_percent 21
    note "log: cleaned, $was % before, 21 % now"
    printf 'log: %s %% -> 21 %% used, old logs removed / 旧日志已清理\n' "$was"
}

case "${1-} ${2-}" in
    "show version") show_version ;;
    "show alarm" | "show alarms") show_alarm ;;
    "show card" | "show cards") show_card ;;
    "show temperature") show_temperature ;;
    "show fan" | "show fans") show_fan ;;
    "show port" | "show ports") show_port ;;
    "show log") show_log ;;
    "reset "*[!a-z0-9-]*) fail "\`$2\` is not a name like fan-2 or port-1" ;;
    "reset fan-"*) reset_fan "$2" ;;
    "reset port-"*) reset_port "$2" ;;
    "reset "*) fail "name what to reset: fan-2, port-1" ;;
    "clean log") clean_log ;;
    " " | "help "* | "-h "* | "--help "*) usage ;;
    *) usage >&2; fail "\`${1-} ${2-}\` is not known here" ;;
esac
