#!/bin/sh
# Proves a bundle that `lineman session export --format bundle` wrote, with nothing but ssh-keygen (OpenSSH 9.1 or newer),
# sha256sum and a POSIX shell.
#
#   sh verify.sh -r VENDOR_ROOT [-s SIGNERS] [DIR]
#
# VENDOR_ROOT and SIGNERS are your own copies, from the vendor and from the carrier: the files of the same name in the bundle come
# from whoever made it. Take this script from your own hands as well, for the same reason (`lineman session verify --script`).
# Exit code 0: it holds. 1: it does not, and the line that begins with BAD says where. 2: it could not be checked.
LC_ALL=C; export LC_ALL; set -u
usage() { echo 'usage: sh verify.sh -r VENDOR_ROOT [-s SIGNERS] [DIR]' >&2; exit 2; }
bad() { printf 'BAD   %s\n' "$*" | tr -c '[:print:]\n' '?' >&2; exit 1; }
good() { printf 'good  %s\n' "$*"; }
root= signers= notes=
while getopts r:s: option; do case $option in r) root=$OPTARG ;; s) signers=$OPTARG ;; *) usage ;; esac; done
shift $((OPTIND - 1)); d=${1:-.}
[ -f "$root" ] && [ $# -le 1 ] && { [ -z "$signers" ] || [ -f "$signers" ]; } || usage

# file NAME: a plain file of the bundle.
file() { [ -f "$d/$1" ] && [ ! -L "$d/$1" ] || bad "$1: it is missing, or not a plain file"; }
sha() { sha256sum <"$d/$1" | cut -d ' ' -f 1; }
# value FILE KEY: the value of the only line `KEY: value`.
value() {
  [ "$(grep -c "^$2: " "$d/$1")" = 1 ] || bad "$1: it has no line, or several, for $2"
  sed -n "s/^$2: //p" "$d/$1"
}
# stamp TIME: 2026-11-22T08:00:00Z as 20261122080000.
stamp() {
  case $1 in [0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]*Z) ;; *) bad "\`$1\` is not a time in UTC" ;; esac
  printf '%s' "$1" | tr -cd 0-9 | cut -c 1-14
}
# list FILE KIND TIME: FILE is a list of this kind that had not expired at TIME.
list() {
  [ "$(sed -n 's/^# lineman-list: //p' "$1")" = "$2" ] || bad "$1: it is not the list \`$2\`"
  expiry=$(sed -n 's/^# expiry: //p' "$1"); expiry=$(stamp "$expiry") || exit 1
  [ "$expiry" -gt "$3" ] || bad "$1: it had expired at that time"
}
# signed FILE LIST WHO NAMESPACE TIME: by LIST, FILE.sig is WHO's signature over FILE. Leaves the key's fingerprint in $key.
signed() {
  file "$1"; file "$1.sig"
  case $3 in '' | *[!a-z0-9-]*) bad "$1: \`$3\` is not a name" ;; esac
  key=$(ssh-keygen -Y verify -f "$2" -I "$3" -n "$4" -O "verify-time=$5Z" -s "$d/$1.sig" <"$d/$1" 2>&1) ||
    bad "$1: changed, or not signed by $3 for $4: $key"
  key=${key##* }
}
# field NAME: the value of "NAME" in the chunk's header $h, which has it once.
field() {
  [ "$(printf '%s\n' "$h" | grep -o "\"$1\":" | wc -l)" -eq 1 ] || bad "chunk $n: its header has no \"$1\", or several"
  printf '%s\n' "$h" | sed "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/"
}
# within FEW MANY: is every door of the one list in the other?
within() { printf '%s\n' "$1" | tr ',' '\n' | while IFS= read -r door; do case ",$2," in *",$door,"*) ;; *) exit 1 ;; esac; done; }

n=0; file chunks/000000.txt; h=$(head -n 1 "$d/chunks/000000.txt")
session=$(field session) && device=$(field device) && consent=$(field consent) && engineer=$(field engineer) || exit 1
grade=$(field grade) && began=$(field started) && began=$(stamp "$began") || exit 1
customer=$(printf '%s' "$device" | sed 's/.*\.\(.*\)\.ne$/\1/' | tr a-z A-Z)

# Whose device is it? The carrier's technician says so; the carrier's list, or the anchors, say who that is.
file device-statement; by=$(value device-statement vouched-by) || exit 1
if [ -n "$signers" ]; then
  list "$signers" "signers $customer" "$began"; vouchers=$signers
else
  signed anchors "$root" vendor-root anchors@lineman "$began"; vouchers=$d/anchors
  list "$vouchers" "anchors $customer" "$began"; good 'anchors: the vendor root vouches for them'
fi
signed device-statement "$vouchers" "$by" device@lineman "$began"
[ "$(value device-statement device)" = "$device" ] || bad 'device-statement: it is about another device than the recording'
ends=$(value device-statement valid-before) && ends=$(stamp "$ends") || exit 1
[ "$ends" -gt "$began" ] || bad 'device-statement: it had ended before the session began'
host_key=$(value device-statement host-key) || exit 1
file allowed_recorders
[ "$(cat "$d/allowed_recorders")" = "device namespaces=\"recording@lineman,local@lineman\" $host_key" ] ||
  bad 'allowed_recorders: it holds another key than the one in the device statement'
print=$(printf '%s\n' "$host_key" | ssh-keygen -l -f - | cut -d ' ' -f 2)
case $(field host_key) in "$host_key" | "$print") ;; *) bad 'chunk 0: it names another host key' ;; esac
good "device-statement: $by vouches for $device, host key $print"

# Every chunk: signed by the device, in its place, and following from the one before.
prev=$(printf '%064d' 0); end=; counted=0
while c=chunks/$(printf '%06d' "$n"); [ -e "$d/$c.txt" ] || [ -L "$d/$c.txt" ]; do
  [ -z "$end" ] || bad "chunk $n: it follows the end record"
  file "$c.txt"; file "$c.sig"
  ssh-keygen -Y verify -f "$d/allowed_recorders" -I device -n recording@lineman -s "$d/$c.sig" <"$d/$c.txt" >/dev/null 2>&1 ||
    bad "chunk $n: the text or its signature was changed, or another device signed it"
  h=$(head -n 1 "$d/$c.txt"); number=$(field chunk) && of=$(field session) && follows=$(field prev) || exit 1
  [ "$number" = "$n" ] || bad "chunk $n: it says it is number $number: a chunk was dropped, added or reordered before it"
  [ "$of" = "$session" ] || bad "chunk $n: it belongs to another session"
  [ "$follows" = "$prev" ] || bad "chunk $n: it does not follow from the chunk before it"
  case $h in *'"end":"'*) end=$(field end) || exit 1 ;; esac
  counted=$((counted + $(grep -c '^\[[0-9.e-]*,[0-9]*,"truncated",' "$d/$c.txt")))
  prev=$(sha "$c.txt"); n=$((n + 1))
done
[ "$(ls -A "$d/chunks" | wc -l)" -eq $((2 * n)) ] || bad "chunk $n: it is missing, or chunks/ holds what is not a chunk"
[ -n "$end" ] || bad "chunk $((n - 1)): it is the last one and no end record: the recording is truncated"
good "chunks: $n, signed and unbroken, ended: $end"
json() {
  sed 's/\\/\\\\/g; s/"/\\"/g; $!s/$/\\n/' "$d/$1" | tr -d '\n'
  [ -n "$(tail -c 1 "$d/$1")" ] || printf '%s' '\n'
}
file recording.jsonl; i=0
while [ "$i" -lt "$n" ]; do
  c=chunks/$(printf '%06d' "$i"); printf '{"text":"%s","signature":"%s"}\n' "$(json "$c.txt")" "$(json "$c.sig")"; i=$((i + 1))
done | cmp -s - "$d/recording.jsonl" || bad 'recording.jsonl: it holds something else than the chunks'

# What let the engineer in: chunk 0 names the papers by their hashes.
n=0; h=$(head -n 1 "$d/chunks/000000.txt"); file request
[ "$(field request_sha256)" = "$(sha request)" ] || bad 'request: it is not the one that chunk 0 names'
asked=$(value request issued) && asked=$(stamp "$asked") || exit 1
signed roster "$root" vendor-root roster@lineman "$asked"; list "$d/roster" roster "$asked"; good 'roster: the vendor root vouches for it'
case $engineer in level-*) bad "request: \`$engineer\` is a level, not a person" ;; esac
signed request "$d/roster" "$engineer" request@lineman "$asked"
[ "$(value request engineer-key)" = "$key" ] || bad 'request: it names another key than the one that signed it'
[ "$(value request id) $(value request device) $(value request host-key) $(value request engineer) $(value request grade)" = \
  "$consent $device $print $engineer $grade" ] || bad 'request: id, device, host key, engineer or grade are not those of chunk 0'
entered=$(field engineer_key) || exit 1
case $entered in SHA256:*) own=$entered ;; *) own=$(printf '%s\n' "$entered" | ssh-keygen -l -f - | cut -d ' ' -f 2) ;; esac
[ "$own" = "$key" ] || { [ "$grade" = gateway ] && grep 'gateway@lineman' "$d/roster" | grep -q -F -- " $entered"; } ||
  bad 'chunk 0: another key went in than the one that asked'
doors=$(value request doors) && for_s=$(value request duration-s) || exit 1
good "request: $engineer asked for $doors, grade $grade"
bound=$(printf '%s\n' "$h" | sed -n 's/.*"consents_sha256":\[\([^]]*\)\].*/\1/p' | tr -d '"' | tr ',' ' ')
[ -n "$bound" ] || bad 'chunk 0: it names nothing that let the engineer in'
people= keys= papers=0
for paper in "$d"/consent-* "$d"/standing-* "$d"/local-*; do
  p=${paper#"$d"/}; case $p in *.sig | *'*') continue ;; esac
  file "$p"; case " $bound " in *" $(sha "$p") "*) ;; *) bad "$p: it is not one that chunk 0 names" ;; esac
  papers=$((papers + 1)); key=
  case $p in
    local-*)
      at=$(value "$p" at) && at=$(stamp "$at") || exit 1
      signed "$p" "$d/allowed_recorders" device local@lineman "$at"; by='root on the device'
      case "$(value "$p" act) $(value "$p" subject) $(value "$p" detail)" in
        "approve-consent $consent request-sha256 $(sha request)"*) ;; *) bad "$p: it approves something else" ;;
      esac
      notes="$notes
note  $p: approved on the device itself, without a signature of the carrier" ;;
    *)
      by=$(value "$p" approver) || exit 1
      case $p in
        consent-*)
          kind=consent; at=$(value "$p" issued) && at=$(stamp "$at") || exit 1
          [ "$(value "$p" id) $(value "$p" request-sha256)" = "$consent $(sha request)" ] || bad "$p: it is for another request"
          within "$(value "$p" doors)" "$doors" && [ "$(value "$p" duration-s)" -le "$for_s" ] || bad "$p: it allows more than was asked for"
          # A key in a page of the vendor's is a class of its own, which the signature names and the carrier's list has to name, too.
          if ssh-keygen -Y check-novalidate -n consent-browser@lineman -s "$d/$p.sig" <"$d/$p" >/dev/null 2>&1; then
            kind=consent-browser; notes="$notes
note  $p: approved in a page served by the vendor"
          fi ;;
        *)
          kind=standing; at=$asked; ends=$(value "$p" valid-before) && ends=$(stamp "$ends") || exit 1
          [ "$ends" -gt "$at" ] || bad "$p: it had ended"
          within "$doors" "$(value "$p" doors)" && [ "$for_s" -le "$(value "$p" duration-s)" ] || bad "$p: it allows less than was asked for"
          [ "$(value "$p" customer) $(value "$p" account)" = "$customer $(value request account)" ] || bad "$p: it is of another customer or account"
          case ",$(value "$p" devices)," in ,all, | *",$device,"*) ;; *) bad "$p: it is not for $device" ;; esac
          case $(value "$p" fault) in any | "$(value request fault)") ;; *) bad "$p: it is for another fault" ;; esac
          level=$(sed '/^#/d; s/[[:space:]].*//; s/.*/,&,/' "$d/roster" | grep ",$engineer," | head -n 1 | tr ',' '\n' | sed -n 's/^level-//p')
          [ "${level:-0}" -ge "$(value "$p" level)" ] || bad "$p: $engineer has not the level that it wants" ;;
      esac
      if [ -n "$signers" ]; then
        list "$signers" "signers $customer" "$at"; signed "$p" "$signers" "$by" "$kind@lineman" "$at"
      else
        file "$p.sig"
        key=$(ssh-keygen -Y check-novalidate -n "$kind@lineman" -s "$d/$p.sig" <"$d/$p" 2>&1) || bad "$p: the signature does not fit"
        key=${key##* }; notes="$notes
note  $p: the signature fits, but whose key $key is was NOT CHECKED: give the carrier's list with -s"
      fi
      case " $people | $keys " in *" $by "* | *" $key "*) bad "$p: $by, or the key, signed twice" ;; esac
      people="$people $by"; keys="$keys $key" ;;
  esac
  good "$p: $by"
done
[ "$papers" -eq "$(printf '%s\n' "$bound" | wc -w)" ] || bad 'a consent that chunk 0 names is missing'
[ "$counted" -eq 0 ] || notes="$notes
note  of $counted flows only the beginning, the length and the hash were recorded"
printf '%s\n' "GOOD  $session on $device: $(printf '%s' "$prev" | cut -c 1-16)... is the head of the chain$notes"
