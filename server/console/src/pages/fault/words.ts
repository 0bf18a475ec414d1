// The words of the API that a fault's page shows, in both languages.

import type { Schema } from '../../lib/api';
import { word, type Word } from '../../lib/i18n.svelte';

export const channels: Record<Schema['Channel'], Word> = {
  phone: { zh: '电话解决', en: 'by phone' },
  remote: { zh: '远程解决', en: 'remotely' },
  onsite: { zh: '现场解决', en: 'on site' },
  self: { zh: '自行恢复', en: 'by itself or the customer' },
};

export const activityKinds: Record<Schema['ActivityKind'], Word> = {
  phone: { zh: '电话', en: 'phone call' },
  guidance: { zh: '现场指导', en: 'guidance on site' },
  visit: { zh: '上站', en: 'visit' },
  consent: { zh: '同意', en: 'consent' },
  session: { zh: '会话', en: 'session' },
  diagnosis: { zh: '诊断', en: 'diagnosis' },
};

export const activityStates: Record<Schema['ActivityState'], Word> = {
  planned: { zh: '已计划', en: 'planned' },
  running: { zh: '进行中', en: 'under way' },
  done: { zh: '已完成', en: 'done' },
  cancelled: { zh: '已取消', en: 'called off' },
};

export const linkKinds: Record<Schema['LinkKind'], Word> = {
  related: { zh: '相关', en: 'related to' },
  caused_by: { zh: '由其引起', en: 'caused by' },
  causes: { zh: '引起', en: 'causes' },
  blocks: { zh: '阻塞', en: 'blocks' },
  blocked_by: { zh: '被其阻塞', en: 'blocked by' },
};

export const clockStates: Record<Schema['ClockState'], Word> = {
  not_started: { zh: '未开始', en: 'not begun' },
  running: { zh: '计时中', en: 'running' },
  paused: { zh: '暂停', en: 'paused' },
  met: { zh: '达标', en: 'met' },
  breached: { zh: '超时', en: 'missed' },
  done: { zh: '已结束', en: 'ended' },
  void: { zh: '不计', en: 'void' },
};

/** X.733's probable causes, as this system knows them. */
export const probableCauses: Record<Schema['ProbableCause'], Word> = {
  fan_failure: { zh: '风扇故障', en: 'fan failure' },
  temperature_unacceptable: { zh: '温度越限', en: 'temperature unacceptable' },
  loss_of_signal: { zh: '信号丢失', en: 'loss of signal' },
  degraded_signal: { zh: '信号劣化', en: 'degraded signal' },
  storage_capacity_problem: { zh: '存储容量不足', en: 'storage capacity problem' },
  cpu_cycles_limit_exceeded: { zh: 'CPU 占用越限', en: 'CPU cycles limit exceeded' },
  out_of_memory: { zh: '内存不足', en: 'out of memory' },
  communications_subsystem_failure: { zh: '通信子系统故障', en: 'communications subsystem failure' },
  equipment_malfunction: { zh: '设备失常', en: 'equipment malfunction' },
  performance_degraded: { zh: '性能劣化', en: 'performance degraded' },
  application_subsystem_failure: { zh: '应用子系统故障', en: 'application subsystem failure' },
  threshold_crossed: { zh: '门限越过', en: 'threshold crossed' },
  power_problem: { zh: '电源问题', en: 'power problem' },
};

export const maskRules: Record<Schema['MaskRule'], Word> = {
  ip: { zh: 'IP 地址', en: 'IP address' }, mac: { zh: 'MAC 地址', en: 'MAC address' }, host: { zh: '主机名', en: 'host name' },
  mail: { zh: '邮箱', en: 'mail address' }, phone: { zh: '电话', en: 'phone number' }, imsi: { zh: 'IMSI', en: 'IMSI' }, imei: { zh: 'IMEI', en: 'IMEI' },
  sim: { zh: 'SIM 卡号', en: 'SIM number' }, id_number: { zh: '身份证号', en: 'identity number' }, community: { zh: 'SNMP 团体名', en: 'SNMP community' },
  secret: { zh: '口令或密钥', en: 'password or key' }, cloud_key: { zh: '云服务密钥', en: 'cloud key' }, token: { zh: '令牌', en: 'token' },
  private_key: { zh: '私钥', en: 'private key' }, certificate: { zh: '证书', en: 'certificate' }, url_credentials: { zh: '地址中的口令', en: 'credentials in an address' },
  serial: { zh: '序列号', en: 'serial number' }, customer: { zh: '客户名', en: 'customer' }, site: { zh: '站点', en: 'site' }, equipment: { zh: '网元名', en: 'equipment' },
  person: { zh: '人名', en: 'person' }, fault: { zh: '故障单号', en: 'fault number' }, reviewer: { zh: '人工遮盖', en: 'taken out by hand' },
};

export const caseFields: Record<Schema['CaseField'], Word> = {
  title: { zh: '标题', en: 'Title' }, symptom: { zh: '现象', en: 'Symptom' }, cause: { zh: '原因', en: 'Cause' }, steps: { zh: '步骤', en: 'Steps' },
  resolution: { zh: '解决', en: 'Resolution' },
};

/** Kinds of events; one that is new here is shown by its name in the log. */
const KINDS: Record<string, Word> = {
  'fault.reported': { zh: '建单', en: 'reported' }, 'fault.routed': { zh: '派单', en: 'routed' }, 'fault.escalated': { zh: '升级', en: 'escalated' },
  'fault.deescalated': { zh: '降级', en: 'sent back down' }, 'fault.accepted': { zh: '认领', en: 'accepted' }, 'fault.assigned': { zh: '指派', en: 'assigned' },
  'fault.note': { zh: '备注', en: 'note' }, 'fault.alarm_attached': { zh: '告警并入', en: 'alarm joined' }, 'fault.pending': { zh: '挂起', en: 'on hold' },
  'fault.resumed': { zh: '恢复处理', en: 'resumed' }, 'fault.diagnosed': { zh: '诊断与方案', en: 'diagnosis and plan' },
  'fault.proposes_restored': { zh: '告警已全部清除', en: 'all alarms cleared' }, 'fault.restored': { zh: '业务恢复', en: 'restored' },
  'fault.resolved': { zh: '解决', en: 'resolved' }, 'fault.closed': { zh: '关闭', en: 'closed' }, 'fault.reopened': { zh: '重开', en: 'reopened' },
  'fault.rejected': { zh: '退回', en: 'rejected' }, 'fault.cancelled': { zh: '撤单', en: 'cancelled' }, 'fault.duplicate': { zh: '记为重复', en: 'marked duplicate' },
  'fault.merged': { zh: '合并', en: 'merged' }, 'fault.unmerged': { zh: '取消合并', en: 'unmerged' }, 'fault.edited': { zh: '修改', en: 'edited' },
  'fault.linked': { zh: '关联', en: 'linked' }, 'fault.unlinked': { zh: '取消关联', en: 'unlinked' }, 'fault.activity': { zh: '活动', en: 'activity' },
  'fault.attachment_added': { zh: '附件', en: 'file attached' }, 'fault.attachment_deleted': { zh: '删除附件', en: 'file deleted' },
  'fault.repeat_acknowledged': { zh: '停止重复通知', en: 'no more reminders' }, 'problem.attached': { zh: '关联问题单', en: 'belongs to a problem' },
  'problem.detached': { zh: '移出问题单', en: 'taken off a problem' }, 'problem.resolved': { zh: '问题已解决', en: 'problem resolved' },
  'clock.warned': { zh: '时限预警', en: 'clock warning' }, 'clock.breached': { zh: '时限超时', en: 'clock missed' }, 'clock.retargeted': { zh: '时限变更', en: 'clock changed' },
  'consent.requested': { zh: '申请同意', en: 'consent asked' }, 'consent.partly_approved': { zh: '部分批准', en: 'partly approved' },
  'consent.approved': { zh: '批准', en: 'approved' }, 'consent.live': { zh: '设备已确认同意', en: 'consent in force' }, 'consent.refused': { zh: '拒绝', en: 'refused' },
  'consent.refused_by_device': { zh: '设备拒绝', en: 'refused by the device' }, 'consent.lapsed': { zh: '申请过期', en: 'request lapsed' },
  'consent.revoked': { zh: '撤销同意', en: 'consent revoked' }, 'consent.ended': { zh: '同意结束', en: 'consent ended' },
  'session.opened': { zh: '会话开始', en: 'session opened' }, 'session.first_byte': { zh: '会话建立', en: 'session up' }, 'session.ended': { zh: '会话结束', en: 'session ended' },
  'session.kill_asked': { zh: '强制终止', en: 'kill asked' }, 'session.recording_viewed': { zh: '查看录像', en: 'recording viewed' },
  'session.watched': { zh: '旁观', en: 'watched' }, 'terminal.opened': { zh: '打开终端', en: 'terminal opened' }, 'terminal.ended': { zh: '终端结束', en: 'terminal ended' },
  'case.created': { zh: '起草案例', en: 'case drafted' }, 'case.linked': { zh: '引用案例', en: 'case cited' }, 'case.unlinked': { zh: '取消引用', en: 'case no longer cited' },
  'standing.granted': { zh: '常设授权', en: 'standing consent' }, 'equipment.local_act': { zh: '设备本地操作', en: 'done on the device' },
};

export const kindOf = (kind: string): string => {
  const known = KINDS[kind];
  return known ? word(known) : kind;
};
