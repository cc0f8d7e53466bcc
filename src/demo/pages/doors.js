// The doors as tabs: arrow keys go through them, and each shows how long its last request took.
import { h, milliseconds } from "./dom.js";

export const WALLS = {
  process: "a new process",
  socket: "a socket",
  call: "a function call",
};

/** Tabs for the doors, and one for `last`: the other direction. `choose` gets the id. */
export function doorTabs(root, doors, last, choose) {
  const tabs = new Map(doors.map((door, i) => [door.id, tab(door.id, door, i, choose)]));
  tabs.set(last, tab(last, { name: "Both directions", available: true }, undefined, choose));
  const ids = [...tabs.keys()];
  const list = h("div", { role: "tablist", "aria-label": "Interfaces" }, [...tabs.values()]);
  list.addEventListener("keydown", (event) => {
    const at = ids.findIndex((id) => tabs.get(id) === document.activeElement);
    const steps = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: ids.length - 1 };
    const next = ids[(steps[event.key] + ids.length) % ids.length];
    if (!next) return;
    event.preventDefault();
    tabs.get(next).focus();
    choose(next);
  });
  const key = Object.entries(WALLS).map(([wall, name]) => h("span", { class: `wall-${wall}` }, name));
  // So that the keyboard can scroll to what the tab shows.
  document.getElementById("panel").tabIndex = 0;
  root.replaceChildren(
    list,
    h("p", { class: "walls dim" }, h("span", {}, "The wall between server and application: "), key),
  );
  return {
    ids: ids.filter((id) => id !== last),
    choose(chosen) {
      for (const [id, element] of tabs) {
        element.setAttribute("aria-selected", `${id === chosen}`);
        element.tabIndex = id === chosen ? 0 : -1;
      }
      document.getElementById("panel").setAttribute("aria-labelledby", `tab-${chosen}`);
    },
    /** `recorded`: by id what was recorded. */
    note(recorded) {
      for (const [id, element] of tabs) {
        const view = recorded.get(id);
        element.querySelector("small").textContent = view ? milliseconds(view.duration) : " ";
      }
    },
  };
}

function tab(id, { name, wall, available }, i, choose) {
  const key = i !== undefined && i < 10 ? `${(i + 1) % 10}` : undefined;
  return h(
    "button",
    {
      type: "button",
      role: "tab",
      id: `tab-${id}`,
      class: [wall ? `wall-${wall}` : "wall-none", available ? "" : "absent"].join(" ").trim(),
      "aria-selected": "false",
      "aria-controls": "panel",
      "aria-keyshortcuts": key,
      tabindex: "-1",
      click: () => choose(id),
    },
    h("span", {}, key ? h("kbd", { "aria-hidden": "true" }, key) : [], name),
    h("small", {}, available ? " " : "not here"),
  );
}
