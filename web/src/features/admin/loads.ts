import { partOf } from "@/lib/part";

/** The pages of the administration by the second word of their address: each is loaded when somebody goes there. */
export const SECTION_PAGES = {
  chatbots: partOf(async () => (await import("./chatbots/ChatbotPages")).ChatbotPages),
  users: partOf(async () => (await import("./users/UsersPage")).UsersPage),
  keys: partOf(async () => (await import("./keys/KeysPage")).KeysPage),
  budgets: partOf(async () => (await import("./costs/BudgetsPage")).BudgetsPage),
  limits: partOf(async () => (await import("./costs/LimitsPage")).LimitsPage),
  "sign-on": partOf(async () => (await import("./sign-on/SignOnPage")).SignOnPage),
  adapters: partOf(async () => (await import("./adapters/AdaptersPage")).AdaptersPage),
  audit: partOf(async () => (await import("./audit/AuditPage")).AuditPage),
  privacy: partOf(async () => (await import("./privacy/PrivacyPage")).PrivacyPage),
};
