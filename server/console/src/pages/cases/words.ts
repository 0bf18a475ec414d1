// The words of the case library in both languages. A word that the server gains and this page lacks does not compile.

import type { Schema } from '../../lib/api';
import type { Word } from '../../lib/i18n.svelte';

export const caseStates: Record<Schema['CaseState'], Word> = {
  wip: { zh: '编写中', en: 'in work' },
  not_validated: { zh: '待审核', en: 'in review' },
  validated: { zh: '已发布', en: 'published' },
  archived: { zh: '已归档', en: 'archived' },
};

export const audiences: Record<Schema['Audience'], Word> = {
  internal: { zh: '仅内部', en: 'internal' },
  customer: { zh: '客户可见', en: 'customers too' },
};

export const languages: Record<Schema['Language'], Word> = {
  zh: { zh: '中文', en: 'Chinese' },
  en: { zh: '英文', en: 'English' },
};

export const facets: Record<Schema['CaseFacet'], Word> = {
  product: { zh: '产品', en: 'Product' },
  model: { zh: '机型', en: 'Model' },
  version: { zh: '软件版本', en: 'Software' },
  code: { zh: '告警码', en: 'Alarm code' },
  cause: { zh: '原因', en: 'Cause' },
  language: { zh: '语言', en: 'Language' },
  state: { zh: '状态', en: 'State' },
  audience: { zh: '读者', en: 'Audience' },
};

export const causes: Record<Schema['ProbableCause'], Word> = {
  fan_failure: { zh: '风扇故障', en: 'fan failure' },
  temperature_unacceptable: { zh: '温度越限', en: 'temperature unacceptable' },
  loss_of_signal: { zh: '信号丢失', en: 'loss of signal' },
  degraded_signal: { zh: '信号劣化', en: 'degraded signal' },
  storage_capacity_problem: { zh: '存储容量不足', en: 'storage capacity' },
  cpu_cycles_limit_exceeded: { zh: 'CPU 超限', en: 'CPU limit exceeded' },
  out_of_memory: { zh: '内存不足', en: 'out of memory' },
  communications_subsystem_failure: { zh: '通信子系统故障', en: 'communications failure' },
  equipment_malfunction: { zh: '设备故障', en: 'equipment malfunction' },
  performance_degraded: { zh: '性能下降', en: 'performance degraded' },
  application_subsystem_failure: { zh: '应用故障', en: 'application failure' },
  threshold_crossed: { zh: '越门限', en: 'threshold crossed' },
  power_problem: { zh: '电源故障', en: 'power problem' },
};

export const fields: Record<Schema['CaseField'], Word> = {
  title: { zh: '标题', en: 'Title' },
  symptom: { zh: '现象', en: 'Symptom' },
  cause: { zh: '原因', en: 'Cause' },
  steps: { zh: '处理步骤', en: 'Steps' },
  resolution: { zh: '结果', en: 'Resolution' },
};

/** What a comparison names beside the texts. */
export const moreFields: Record<string, Word> = {
  equipment: { zh: '适用设备', en: 'Applies to' },
  codes: { zh: '告警码', en: 'Alarm codes' },
  probable_cause: { zh: '可能原因', en: 'Probable cause' },
  audience: { zh: '读者', en: 'Audience' },
};

export const verdicts: Record<Schema['LinkVerdict'], Word> = {
  solved: { zh: '解决了', en: 'solved it' },
  helped: { zh: '有帮助', en: 'helped' },
  wrong: { zh: '不对', en: 'was wrong' },
};

export const flagKinds: Record<Schema['FlagKind'], Word> = {
  unconfirmed: { zh: '久未确认', en: 'not confirmed for long' },
  superseded: { zh: '版本已过时', en: 'its software is outdated' },
  reader: { zh: '读者存疑', en: 'a reader doubts it' },
  wrong_link: { zh: '在故障上无效', en: 'was wrong on a fault' },
};

export const reviewWhys: Record<Schema['ReviewWhy'], Word> = {
  submitted: { zh: '提交审核', en: 'submitted' },
  drafted: { zh: '由故障起草', en: 'drafted from a fault' },
  edited: { zh: '发布后修改', en: 'edited after publication' },
  imported: { zh: '导入', en: 'imported' },
  unarchived: { zh: '取消归档', en: 'out of the archive' },
};

export const gapStates: Record<Schema['GapState'], Word> = {
  open: { zh: '未处理', en: 'open' },
  written: { zh: '已写案例', en: 'a case was written' },
  not_worth: { zh: '不值得写', en: 'not worth a case' },
};

export const lineVerdicts: Record<Schema['LineVerdict'], Word> = {
  new: { zh: '新增', en: 'new' },
  changed: { zh: '变更', en: 'changed' },
  same: { zh: '相同', en: 'same' },
  refused: { zh: '拒绝', en: 'refused' },
};

export const maskRules: Record<Schema['MaskRule'], Word> = {
  ip: { zh: 'IP 地址', en: 'IP address' },
  mac: { zh: 'MAC 地址', en: 'MAC address' },
  host: { zh: '主机名', en: 'host name' },
  mail: { zh: '邮箱', en: 'mail address' },
  phone: { zh: '电话', en: 'phone number' },
  imsi: { zh: 'IMSI', en: 'IMSI' },
  imei: { zh: 'IMEI', en: 'IMEI' },
  sim: { zh: 'SIM 卡号', en: 'SIM number' },
  id_number: { zh: '证件号', en: 'identity number' },
  community: { zh: 'SNMP 团体字', en: 'SNMP community' },
  secret: { zh: '口令', en: 'secret' },
  cloud_key: { zh: '云密钥', en: 'cloud key' },
  token: { zh: '令牌', en: 'token' },
  private_key: { zh: '私钥', en: 'private key' },
  certificate: { zh: '证书', en: 'certificate' },
  url_credentials: { zh: '网址中的口令', en: 'credentials in an address' },
  serial: { zh: '序列号', en: 'serial number' },
  customer: { zh: '客户名', en: 'customer' },
  site: { zh: '站点名', en: 'site' },
  equipment: { zh: '设备名', en: 'equipment' },
  person: { zh: '人名', en: 'person' },
  fault: { zh: '故障单号', en: 'fault number' },
  reviewer: { zh: '审核人抹去', en: 'taken out by a reviewer' },
};
